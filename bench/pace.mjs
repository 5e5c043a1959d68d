// What a machine takes for a fixed piece of work in JavaScript, in us: text made and parsed. The quotient of two machines' figures tells what the user time
// of one of them would be on the other. bench/pace.c is the same for kernel time.
function parse() {
  let text = '';
  for (let memcg = 0; memcg < 50; memcg++)
    text += `memcg ${memcg} /system.slice/unit-${memcg}.service\n node 0\n  ${memcg} 123456 ${memcg * 7} ${memcg * 11}\n`;
  let sum = 0;
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/u);
    sum += parseInt(fields[2] ?? '0', 10) || 0;
  }
  return sum;
}

function usPer(work, pieces) {
  const rounds = Array.from({ length: 15 }, () => {
    const start = process.hrtime.bigint();
    for (let piece = 0; piece < pieces; piece++) work();
    return Number(process.hrtime.bigint() - start) / 1e3 / pieces;
  });
  // The fastest: whatever else runs only makes it slower.
  return Math.min(...rounds);
}

usPer(parse, 500);
console.log(usPer(parse, 200).toFixed(2));
