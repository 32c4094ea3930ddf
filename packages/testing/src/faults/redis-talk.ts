/** What a Redis connection is used for, from the names of the commands that it sends (redis.io, "RESP"). */

export interface RedisTalk {
  /** "" | "commands" | "blocking" | "subscriber". */
  readonly label: string;
  asked(chunk: Buffer): void;
}

const blocking = /\r\n(?:bzpopmin|bzpopmax|blmove|brpoplpush|xread)\r\n/i;
const subscribing = /\r\n[ps]?subscribe\r\n/i;

export function createRedisTalk(): RedisTalk {
  let label = "";
  return {
    get label() {
      return label;
    },
    asked: (chunk) => {
      if (label === "blocking" || label === "subscriber") return;
      const text = chunk.toString("latin1");
      if (blocking.test(text)) label = "blocking";
      else if (subscribing.test(text)) label = "subscriber";
      else label = "commands";
    },
  };
}
