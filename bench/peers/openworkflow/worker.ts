/** The worker process: takes runs from the database and runs the steps of their chains. */
import { answerBench } from "../program.ts";
import { connectChain } from "./interface.ts";

const { client } = await connectChain();
let worker = client.newWorker({ concurrency: 1 });

answerBench({
  /** A worker that has just started looks for runs at once, one that has been idle up to a second later. */
  async restart(concurrency: number) {
    await worker.stop();
    worker = client.newWorker({ concurrency });
    await worker.start();
  },
});
