// Calls operations with the runtime that the vendor's client packages wrap, for the
// Go test beside it. It takes one JSON command a line on standard input,
// {op, params, data}, calls client[op](params, data) as that client's users do, and
// prints one JSON line with what came back. The test decides what is right.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { OpenAPIClientAxios } from "openapi-client-axios";

const [url, token] = process.argv.slice(2);
const definition = JSON.parse(readFileSync(new URL("testdata/definition.json", import.meta.url)));
const client = new OpenAPIClientAxios({ definition, quick: true }).initSync();
client.defaults.baseURL = url;
client.defaults.headers.common.authorization = `Bearer ${token}`;

for await (const line of createInterface({ input: process.stdin })) {
  const { op, params, data } = JSON.parse(line);
  let answer;
  try {
    answer = await client[op](params, data);
  } catch (err) {
    if (!err.response) throw err;
    answer = err.response; // refused: axios throws, and has the answer
  }
  const { method, url: path } = answer.config;
  console.log(JSON.stringify({ status: answer.status, data: answer.data, method, path }));
}
