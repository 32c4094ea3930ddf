/** The client process: one request to the ingress for each chain, answered when the chain has finished. */
import { Agent, request } from "node:http";
import { connect } from "node:http2";
import { runChains, runIdleChains } from "../chains.ts";
import type { ChainLoad, IdleLoad } from "../peer.ts";
import { answerBench } from "../program.ts";

const url = process.env["INGRESS_URL"] ?? "";
const path = "/chain/run";

const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity });
function post1(body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(`${url}${path}`, {
      agent,
      method: "POST",
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) },
    });
    call.on("response", (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => (text += chunk));
      answer.on("end", () =>
        answer.statusCode === 200 ? resolve(text) : reject(new Error(`${answer.statusCode} ${text}`)),
      );
    });
    call.on("error", reject);
    call.end(body);
  });
}

const session = process.env["HTTP"] === "2" ? connect(url) : undefined;
function post2(body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = session!.request({ ":method": "POST", ":path": path, "content-type": "application/json" });
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
const post = session ? post2 : post1;

async function runChain(steps: number): Promise<number> {
  const { finished } = JSON.parse(await post(JSON.stringify({ steps }))) as { finished: number };
  return finished;
}

answerBench({
  chains: (load: ChainLoad) => runChains(load, runChain),
  idle: (load: IdleLoad) => runIdleChains(load, runChain),
});
