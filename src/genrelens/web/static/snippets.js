/** Code that gives the same result as the page. File names are quoted for the shell and Python. */

/** Return the curl command for a clip. */
export function curlCommand({ name, options }) {
  const address = new URL("v1/classify", document.baseURI);
  address.searchParams.set("timeline", "true");
  if (options.fast) {
    address.searchParams.set("fast", "true");
  }
  if (options.genres?.length) {
    address.searchParams.set("genres", options.genres.join(","));
  }
  return `curl --form ${shellQuote(`file=@"${name.replace(/[\\"]/g, "\\$&")}"`)} ${shellQuote(address)}`;
}

/** Return the Python program for a clip. */
export function pythonCode({ name, options, document: { model } }) {
  const genres = options.genres?.length ? `, genres=${pythonList(options.genres)}` : "";
  const fast = options.fast ? ", fast=True" : "";
  return [
    "from genrelens import Classifier",
    "",
    `classifier = Classifier.load(${pythonQuote(model)}${genres})`,
    `prediction = classifier.classify(${pythonQuote(name)}${fast})`,
    "print(prediction.answer, prediction.top(3))",
  ].join("\n");
}

function shellQuote(text) {
  return `'${String(text).replaceAll("'", "'\\''")}'`;
}

function pythonQuote(text) {
  return JSON.stringify(text); // an escape of JSON means the same in Python
}

function pythonList(texts) {
  return `[${texts.map(pythonQuote).join(", ")}]`;
}
