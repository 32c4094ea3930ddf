/** The client process: one request to the ingress for each chain, answered when the chain has finished. */
import { connect } from "node:http2";
import { runChains, runIdleChains } from "../chains.ts";
import type { ChainLoad, IdleLoad } from "../peer.ts";
import { answerBench } from "../program.ts";

const session = connect(process.env["INGRESS_URL"] ?? "");

function post(path: string, body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = session.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
    let text = "";
    let status = 0;
    call.setEncoding("utf8");
    call.on("response", (headers) => (status = Number(headers[":status"])));
    call.on("data", (chunk: string) => (text += chunk));
    call.on("end", () => (status === 200 ? resolve(text) : reject(new Error(`${status} ${text}`))));
    call.on("error", reject);
    call.end(body);
  });
}

async function runChain(steps: number): Promise<number> {
  const { finished } = JSON.parse(await post("/chain/run", JSON.stringify({ steps }))) as { finished: number };
  return finished;
}

answerBench({
  chains: (load: ChainLoad) => runChains(load, runChain),
  idle: (load: IdleLoad) => runIdleChains(load, runChain),
});
