// Joins the modules of a directory into one file.
const fs = require("fs"), path = require("path");
const [from, to] = process.argv.slice(2);
fs.mkdirSync(path.dirname(to), { recursive: true });
fs.writeFileSync(to, fs.readdirSync(from).sort().map(f => fs.readFileSync(path.join(from, f))).join("\n"));
console.log("bundled", to);
