// The API's description, drawn from /openapi.json.

import { get } from "./client.js";
import { byId, fill, h, table } from "./dom.js";

function typeOf(schema, all) {
  if (!schema) return "";
  if (schema.$ref) return typeOf(all[schema.$ref.split("/").at(-1)], all);
  if (schema.anyOf) return schema.anyOf.map((one) => typeOf(one, all)).join(" or ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeOf(schema.items, all)}`;
  if (schema.type === "object" && schema.additionalProperties?.type) return `map to ${schema.additionalProperties.type}`;
  return schema.title && schema.properties ? schema.title : schema.type ?? "any";
}

function example(schema, all, depth = 0) {
  if (!schema || depth > 5) return null;
  if (schema.$ref) return example(all[schema.$ref.split("/").at(-1)], all, depth + 1);
  if (schema.anyOf) return typeOf(schema, all);
  if (schema.type === "array") return [example(schema.items, all, depth + 1)];
  if (schema.properties) return Object.fromEntries(Object.entries(schema.properties).map(([name, one]) => [name, example(one, all, depth + 1)]));
  if (schema.type === "object" && schema.additionalProperties && schema.additionalProperties !== true) return { "…": example(schema.additionalProperties, all, depth + 1) };
  return typeOf(schema, all);
}

function route(path, operation, all) {
  const parameters = (operation.parameters ?? []).map((one) => [
    h("code", {}, one.name), typeOf(one.schema, all), one.required ? "required" : "optional", one.description ?? one.schema.description ?? "",
  ]);
  const answer = operation.responses["200"]?.content?.["application/json"]?.schema;
  return h("section", { class: "card route", id: path },
    h("h3", {}, "GET ", h("a", { href: path }, h("code", {}, path))),
    (operation.description ?? "").split("\n\n").map((text) => h("p", { class: "summary" }, text)),
    parameters.length > 0 && h("div", { class: "scroll rows" }, table([["Parameter", ""], ["Type", ""], ["Needed", ""], ["Meaning", ""]], parameters)),
    answer && h("details", {}, h("summary", {}, "The answer's shape"), h("pre", {}, h("code", {}, JSON.stringify(example(answer, all), null, 2)))));
}

const description = await get("/openapi.json");
const all = description.components.schemas;
fill(byId("intro"), description.info.description);
fill(byId("routes"), Object.entries(description.paths).map(([path, methods]) => route(path, methods.get, all)));
