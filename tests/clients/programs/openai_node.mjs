// The newest openai-node: the same task and report as the Python programs, JSON in, JSON out.
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const refusal = async (ask) => {
  let answer;
  try {
    answer = await ask();
  } catch (error) {
    return { exception: error.constructor.name, status: error.status, text: error.message };
  }
  throw new Error(`it was answered: ${JSON.stringify(answer)}`);
};

const program = async (task) => {
  const report = { answers: [], prompt_tokens: [], pieces: [], refusals: {} };
  const client = new OpenAI({ baseURL: task.base_url, apiKey: task.key });
  const messages = [];
  for (const question of task.questions) {
    messages.push({ role: "user", content: question });
    const answer = await client.chat.completions.create({
      model: task.model, messages, max_completion_tokens: task.max_tokens,
    });
    messages.push(answer.choices[0].message);
    report.answers.push(answer.choices[0].message.content);
    report.prompt_tokens.push(answer.usage.prompt_tokens);
  }

  const stream = await client.chat.completions.create({
    model: task.scripted_model,
    messages: [{ role: "user", content: task.script }],
    stream: true,
  });
  for await (const chunk of stream) {
    if (chunk.choices[0].delta.content) report.pieces.push(chunk.choices[0].delta.content);
  }

  const hello = { model: task.model, messages: [{ role: "user", content: "你好" }] };
  const ask = (asked, body) => refusal(() => asked.chat.completions.create(body));
  report.refusals.model = await ask(client, { ...hello, model: "no-such-model" });
  const stranger = new OpenAI({ baseURL: task.base_url, apiKey: "wrong" });
  report.refusals.key = await ask(stranger, hello);
  return report;
};

const reports = [];
for (const task of JSON.parse(readFileSync(0, "utf-8"))) reports.push(await program(task));
process.stdout.write(JSON.stringify(reports));
