// An ESME of node-smpp: reads a plan on standard input, runs its sessions one after the other, tells what it saw.
'use strict';

const fs = require('fs');
const smpp = require('smpp');

const plan = JSON.parse(fs.readFileSync(0, 'utf8'));
const NAMES = {
  0x0424: 'message_payload', 0x020c: 'sar_msg_ref_num', 0x020e: 'sar_total_segments', 0x020f: 'sar_segment_seqnum',
};
smpp.addTLV('vendor_1400', { id: 0x1400, type: smpp.types.tlv.buffer });
smpp.addTLV('vendor_1401', { id: 0x1401, type: smpp.types.tlv.buffer });
NAMES[0x1400] = 'vendor_1400';
NAMES[0x1401] = 'vendor_1401';
// Texts are ours, octet for octet: the library may not encode them.
delete smpp.commands.submit_sm.params.short_message.filter;
delete smpp.tlvs.message_payload.filter;

function fields(letter) {
  const made = {
    source_addr: plan.source, destination_addr: '8613800138000', registered_delivery: 1,
    esm_class: letter.esm_class, data_coding: letter.data_coding, short_message: Buffer.from(letter.text, 'hex'),
  };
  for (const [tag, hex] of letter.tlvs) {
    const value = Buffer.from(hex, 'hex');
    made[NAMES[tag]] = tag in { 0x020c: 1, 0x020e: 1, 0x020f: 1 } ? value.readUIntBE(0, value.length) : value;
  }
  return made;
}

function ask(session, command, options) {
  return new Promise((resolve) => session[command](options, resolve));
}

async function bound(session, kind, version) {
  const commands = { trx: 'bind_transceiver', tx: 'bind_transmitter', rx: 'bind_receiver' };
  const options = { system_id: plan.system_id, password: plan.password, interface_version: version };
  const answer = await ask(session, commands[kind], options);
  if (answer.command_status !== 0) throw new Error(`${kind} ${version}: ${answer.command_status}`);
}

async function run(asked) {
  const told = { ids: [], receipts: [] };
  let done;
  const all = new Promise((resolve) => { done = resolve; });
  const kinds = asked.kind === 'pair' ? ['rx', 'tx'] : [asked.kind];
  const sessions = [];
  for (const kind of kinds) {
    const session = smpp.connect({ host: plan.host, port: plan.port });
    session.on('error', (error) => { throw error; });
    session.on('deliver_sm', (pdu) => {
      session.send(pdu.response());
      const text = pdu.short_message.message || pdu.short_message;
      told.receipts.push(/id:(\S+)/.exec(text.toString())[1]);
      if (told.receipts.length === asked.letters.length) done();
    });
    await new Promise((resolve) => session.on('connect', resolve));
    await bound(session, kind, asked.version);
    sessions.push(session);
  }
  const sender = sessions[sessions.length - 1];
  const answers = await Promise.all(asked.letters.map((letter) => ask(sender, 'submit_sm', fields(letter))));
  for (const answer of answers) told.ids.push(answer.message_id);
  if (asked.letters.length) await all;
  for (const session of sessions) {
    await ask(session, 'unbind', {});
    await new Promise((resolve) => session.close(resolve));
  }
  return told;
}

(async () => {
  const told = [];
  for (const asked of plan.sessions) told.push(await run(asked));
  process.stdout.write(JSON.stringify(told));
})().catch((error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); });
