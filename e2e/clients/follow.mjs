// Posts once with fetch and prints what came in the end.
const answer = await fetch(process.argv[2], { method: "POST", body: "order 7" });
console.log(answer.status, answer.redirected ? 1 : 0, await answer.text());
