if (process.argv.includes("--health") || process.argv.includes("--once")) console.log(answer());
else require("http").createServer((_, res) => res.end(answer())).listen(process.env.PORT);
