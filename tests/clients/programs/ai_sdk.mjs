// Vercel's ai with its three providers: a text whole and streamed, and texts to embed.
import { readFileSync } from "node:fs";
import { embedMany, generateText, streamText } from "ai";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

const task = JSON.parse(readFileSync(0, "utf8"));
const options = { baseURL: `${task.url}/v1`, apiKey: task.key };
const openai = createOpenAI(options);
const models = {
  openai: openai(task.model),
  compatible: createOpenAICompatible({ name: "xinghe", ...options })(task.model),
  anthropic: createAnthropic(options)(task.model),
};

const report = {};
for (const [name, model] of Object.entries(models)) {
  const whole = await generateText({ model, prompt: "你好" });
  const stream = streamText({ model, prompt: "你好" });
  const pieces = [];
  for await (const piece of stream.textStream) pieces.push(piece);
  report[name] = {
    text: whole.text, tokens: whole.usage.outputTokens,
    streamed: pieces.join(""), finish: await stream.finishReason,
  };
}
const { embeddings } = await embedMany({
  model: openai.embedding("embedding-v1"), values: task.texts,
});
report.embeddings = embeddings.map((each) => each.length);
console.log(JSON.stringify(report));
