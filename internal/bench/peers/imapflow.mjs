// What ImapFlow does in each job: one process, one connection.
import { ImapFlow } from 'imapflow';
import fs from 'node:fs';

const env = process.env;
const job = env.JOB;
const rules = JSON.parse(env.RULES);
const folders = [env.FOLDER0, env.FOLDER1];
const byKind = kind => new Map(rules.filter(r => r.kind === kind).map(r => [r.value, folders[r.folder]]));
const from = byKind('from'), domain = byKind('domain'), thread = byKind('thread'), subjects = [...byKind('subject')];
const query = { uid: true, flags: true, internalDate: true, envelope: true, bodyStructure: true, headers: ['references'] };
const stateFile = env.STATE + '/state.json';

function match(msg) {
  const address = (msg.envelope.from?.[0]?.address || '').toLowerCase();
  const folder = from.get(address) || domain.get(address.slice(address.lastIndexOf('@') + 1));
  if (folder) return folder;
  for (const [v, f] of subjects) if ((msg.envelope.subject || '').includes(v)) return f;
  for (const m of (msg.headers ? msg.headers.toString() : '').matchAll(/<([^<>]+)>/g)) {
    const f = thread.get(m[1]);
    if (f) return f;
  }
  return null;
}

function ranges(uids) {
  uids.sort((a, b) => a - b);
  const out = [];
  for (let i = 0; i < uids.length;) {
    let j = i;
    while (j + 1 < uids.length && uids[j + 1] === uids[j] + 1) j++;
    out.push(i === j ? String(uids[i]) : uids[i] + ':' + uids[j]);
    i = j + 1;
  }
  return out;
}

async function move(c, todo) {
  for (const [folder, uids] of todo) {
    const parts = ranges(uids); // ranges keep the line below the server's limit
    for (let i = 0; i < parts.length; i += 5000) await c.messageMove(parts.slice(i, i + 5000).join(','), folder, { uid: true });
  }
}


async function watch(c) {
  let next = c.mailbox.uidNext, pending = false, busy = false;
  const run = async () => {
    if (busy) { pending = true; return; }
    busy = true;
    do {
      pending = false;
      const todo = new Map();
      for await (const m of c.fetch(next + ':*', query, { uid: true })) {
        if (m.uid < next) continue;
        next = m.uid + 1;
        const f = match(m);
        if (f) { if (!todo.has(f)) todo.set(f, []); todo.get(f).push(m.uid); }
      }
      await move(c, todo);
    } while (pending);
    busy = false;
    c.idle().catch(e => console.error(e));
  };
  c.on('exists', () => run().catch(e => { console.error(e); process.exit(1); }));
  c.idle().catch(e => console.error(e));
  await new Promise(() => {});
}

async function delta(c, box) {
  if (job === 'delta-prepare') {
    const flags = {};
    for await (const m of c.fetch('1:*', { uid: true, flags: true })) flags[m.uid] = [...m.flags].sort().join(' ');
    fs.writeFileSync(stateFile, JSON.stringify({ uidNext: box.uidNext, modseq: String(box.highestModseq), flags }));
    return;
  }
  const st = JSON.parse(fs.readFileSync(stateFile, 'utf8'));
  let changed = 0, fresh = 0;
  for await (const m of c.fetch('1:' + (st.uidNext - 1), { uid: true, flags: true }, { uid: true, changedSince: BigInt(st.modseq) }))
    if (st.flags[m.uid] !== [...m.flags].sort().join(' ')) changed++;
  for await (const m of c.fetch(st.uidNext + ':*', query, { uid: true })) if (m.uid >= st.uidNext) fresh++;
  if (changed + fresh !== +env.WANT) throw new Error('changed ' + changed + ' new ' + fresh);
}

async function main() {
  const c = new ImapFlow({
    host: env.IMAP_HOST, port: +env.IMAP_PORT, secure: false, doSTARTTLS: false, auth: { user: env.IMAP_USER, pass: env.IMAP_PASS },
    logger: false, disableAutoIdle: true, disableCompression: true,
  });
  c.on('error', e => console.error('error', e.message));
  await c.connect();
  const box = await c.mailboxOpen('INBOX');
  const todo = new Map();
  let n = 0;
  if (job === 'watch') return watch(c);
  if (job.startsWith('delta')) await delta(c, box);
  else {
    for await (const m of c.fetch('1:*', query)) {
      n++;
      if (job !== 'triage') continue;
      const f = match(m);
      if (f) { if (!todo.has(f)) todo.set(f, []); todo.get(f).push(m.uid); }
    }
    if (n !== +env.WANT) throw new Error('letters ' + n);
    if (job === 'triage') await move(c, todo);
  }
  await c.logout();
}

main().then(() => process.exit(0)).catch(e => { console.error(e); process.exit(1); });
