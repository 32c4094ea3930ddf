/**
 * From how many crashes on a step is performed in a process of its own. Twice a worker died while it was performed, which
 * may have been the doing of a step beside it; alone, it can be judged, and it takes no other step along.
 */
export const isolatedFrom = 2;
