import { routes, statusOfStep, statusOfTask } from "@baton/contracts";
import { stepStates, taskStates } from "@baton/core/lifecycle";
import { expect, it } from "vitest";

const { shape } = routes.orchestration.answers[0].schema;

it("every task state has a status that users of orchestrate know", () => {
  expect(Object.keys(statusOfTask).sort()).toEqual(Object.keys(taskStates).sort());
  for (const status of Object.values(statusOfTask)) expect(shape.status.safeParse(status).success).toBe(true);
});

it("every step state has one too", () => {
  expect(Object.keys(statusOfStep).sort()).toEqual(Object.keys(stepStates).sort());
  for (const status of Object.values(statusOfStep))
    expect(shape.steps.element.shape.status.safeParse(status).success).toBe(true);
});

it("an end is an end in both, and nothing else is", () => {
  for (const [state, stateClass] of Object.entries(taskStates)) {
    const isEnd = ["completed", "cancelled"].includes(statusOfTask[state as keyof typeof statusOfTask]);
    expect(isEnd, state).toBe(stateClass === "terminal");
  }
});
