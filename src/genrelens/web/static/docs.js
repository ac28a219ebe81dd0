/** The page of the API: drawn from openapi.json, with a form to try each operation. */

import { button, element, uniqueId } from "./dom.js";
import { offerThemes } from "./themes.js";

/** Show the operations and the documents of an OpenAPI description. */
function show({ info, paths, components }) {
  document.getElementById("summary").textContent = `${info.summary} Version ${info.version}.`;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  );
  document.getElementById("contents").append(
    element("ul", { class: "row" }, ...operations.map(linkTo)),
  );
  document.getElementById("operations").append(...operations.map(drawOperation));
  const schemas = document.getElementById("schemas");
  schemas.append(...Object.entries(components.schemas).filter(isOwn).map(drawSchema));
  schemas.hidden = false;
}

function linkTo({ operationId, method, path }) {
  const link = element("a", { href: `#${operationId}` }, `${method.toUpperCase()} ${path}`);
  return element("li", {}, link);
}

/** Whether a schema is a document of genrelens, and not one of the framework. */
function isOwn([name, schema]) {
  return schema.properties && name !== "HTTPValidationError" && name !== "ValidationError";
}

function drawOperation(operation) {
  const { operationId, method, path, description, parameters = [], requestBody, responses } =
    operation;
  return element(
    "section",
    { class: "operation", id: operationId, "aria-labelledby": `${operationId}-title` },
    element(
      "h2",
      { id: `${operationId}-title` },
      element("span", { class: "method" }, method.toUpperCase()),
      " ",
      element("code", {}, path),
    ),
    element("p", {}, ...marked(description ?? "")),
    ...drawParameters(parameters),
    ...drawBody(requestBody),
    ...drawResponses(responses),
    ...drawTrial(operation),
  );
}

function drawParameters(parameters) {
  if (!parameters.length) {
    return [];
  }
  const rows = parameters.map(({ name, schema, description = "" }) => [
    name, typeOf(schema), String(schema.default ?? ""), marked(description),
  ]);
  return [
    element("h3", {}, "Parameters of the query"),
    drawTable(["Name", "Type", "Default", "Meaning"], rows),
  ];
}

function drawBody(body) {
  if (!body) {
    return [];
  }
  const kinds = Object.keys(body.content ?? {}).join(" or ");
  return [
    element("h3", {}, "Body"),
    element("p", {}, ...marked(body.description ?? ""), " ", element("code", {}, kinds)),
  ];
}

function drawResponses(responses) {
  const items = Object.entries(responses).map(([status, { description, content = {} }]) => {
    const schema = content["application/json"]?.schema;
    const text = status === "200" && schema ? typeOf(schema) : marked(description);
    return element("li", {}, element("strong", {}, status), ": ", ...[text].flat());
  });
  return [element("h3", {}, "Responses"), element("ul", { class: "responses" }, ...items)];
}

function drawSchema([name, schema]) {
  const rows = Object.entries(schema.properties).map(([field, value]) => [
    field, typeOf(value), marked(value.description ?? ""),
  ]);
  return element(
    "article",
    { class: "schema", id: `schema-${name}`, "aria-labelledby": `schema-${name}-title` },
    element("h3", { id: `schema-${name}-title` }, name),
    element("p", {}, ...marked(schema.description ?? "")),
    drawTable(["Field", "Type", "Meaning"], rows),
  );
}

/** Draw a table whose first column is the header of each row. */
function drawTable(heads, rows) {
  const head = heads.map((text) => element("th", { scope: "col" }, text));
  const body = rows.map(([first, ...others]) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, first),
      ...others.map((cell) => element("td", {}, ...[cell].flat())),
    ),
  );
  const table = element(
    "table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body),
  );
  return element("div", { class: "table", tabindex: 0 }, table);
}

/** Return the type of a schema: text and links to documents. */
function typeOf(schema) {
  if (schema.$ref) {
    const name = schema.$ref.split("/").at(-1);
    return [element("a", { href: `#schema-${name}` }, name)];
  }
  if (schema.anyOf) {
    return schema.anyOf.flatMap((each, index) => [...(index ? [" or "] : []), ...typeOf(each)]);
  }
  if (schema.type === "array") {
    return ["list of ", ...typeOf(schema.items ?? {})];
  }
  if (schema.enum || schema.const) {
    return [(schema.enum ?? [schema.const]).map((value) => `"${value}"`).join(", ")];
  }
  return [schema.type ?? "any"];
}

/** Return a text in which `code` is marked as code. */
function marked(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

// ------------------------------------------------------------------------------------ try it

/** Return a form that sends the request and shows the response. */
function drawTrial({ method, path, parameters = [], requestBody, operationId }) {
  const output = element("pre", { tabindex: 0, role: "status", hidden: true });
  const fields = parameters.map(drawField);
  const file = requestBody ? element("input", { type: "file", name: "file", required: true }) : null;
  const form = element(
    "form",
    { class: "try" },
    element("h3", {}, "Try it"),
    element(
      "div",
      { class: "row" },
      ...(file ? [element("label", {}, "Recording ", file)] : []),
      ...fields,
      button("Send", () => {}, { type: "submit", "aria-label": `Send ${operationId}` }),
    ),
    output,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    output.hidden = false;
    output.textContent = "…";
    output.textContent = await send(method, path.slice(1), form);
  });
  return [form];
}

function drawField({ name, schema }) {
  const id = uniqueId("field");
  const input =
    schema.type === "boolean"
      ? element("input", { type: "checkbox", name, id, value: "true" })
      : element("input", { type: "search", name, id, placeholder: schema.examples?.[0] ?? "" });
  return element("label", { for: id }, input, name);
}

/** Send a form and return status and body as text. */
async function send(method, path, form) {
  const query = new URLSearchParams();
  const body = new FormData();
  for (const [name, value] of new FormData(form)) {
    if (value instanceof File) {
      body.append(name, value);
    } else if (value) {
      query.set(name, value);
    }
  }
  try {
    const address = query.size ? `${path}?${query}` : path;
    const response = await fetch(address, method === "post" ? { method, body } : { method });
    const text = await response.text();
    return `${response.status} ${response.statusText}\n\n${indented(text)}`;
  } catch {
    return "The server cannot be reached.";
  }
}

function indented(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 1);
  } catch {
    return text;
  }
}

const themeButton = document.getElementById("theme");
themeButton.hidden = false;
offerThemes(themeButton);
try {
  show(await (await fetch("openapi.json")).json());
  document.getElementById(location.hash.slice(1))?.scrollIntoView();
} catch (error) {
  console.error(error);
  document.getElementById("failure").textContent = "The description cannot be loaded.";
}
