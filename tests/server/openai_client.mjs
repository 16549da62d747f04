// What OpenAI's own client for JavaScript gets from the server, printed as one JSON object.
//   node openai_client.mjs BASE_URL QUESTION EMBEDDING_MODEL
import OpenAI from "openai";

const [baseURL, question, embeddingModel] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const messages = [{ role: "user", content: question }];
const told = { models: [], errors: [] };

for await (const model of client.models.list()) told.models.push(model.id);
told.one = (await client.models.retrieve("ragkit/default")).id;

const reply = await client.chat.completions.create({ model: "ragkit", messages });
told.answer = reply.choices[0].message.content;
told.state = reply.ragkit.state;

told.streamed = "";
const stream = await client.chat.completions.create({
  model: "ragkit",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  told.streamed += chunk.choices[0]?.delta?.content ?? "";
  told.usage = chunk.usage?.total_tokens;
}

for (const encoding of ["float", "base64"]) {
  const made = await client.embeddings.create({
    model: embeddingModel,
    input: "the ferry",
    encoding_format: encoding,
  });
  const { embedding } = made.data[0];
  told[encoding] = Array.isArray(embedding) ? embedding : decoded(embedding);
}

const wrong = [
  () => client.models.retrieve("ragkit/none"),
  () => client.chat.completions.create({ model: "ragkit", messages: [] }),
  () => client.embeddings.create({ model: embeddingModel, input: [[1, 2, 3]] }),
];
for (const call of wrong) {
  await call().catch((error) => told.errors.push(error.constructor.name));
}

console.log(JSON.stringify(told));

function decoded(base64) {
  const bytes = Buffer.from(base64, "base64");
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
}
