// dockerode, Node's client: `node drive.js SOCKET REGISTRY RESOURCE…` drives these kinds of resources,
// tells each call with what came of it, and ends with 1 at the first surprise.
'use strict';

const assert = require('node:assert');
const { PassThrough } = require('node:stream');
const Docker = require('dockerode');

const [socketPath, registry, ...wanted] = process.argv.slice(2);
const docker = new Docker({ socketPath });
const IDLE = ['sleep', '1000'];

function tell(call, came) {
  const text = came === undefined ? '' : typeof came === 'string' ? came : JSON.stringify(came);
  console.log(`> ${call}\n  ${text.replaceAll('\n', '\\n').slice(0, 110)}`);
}

function same(call, came, expected) {
  tell(call, came);
  assert.deepStrictEqual(came, expected, call);
}

function has(call, came, ...keys) {
  tell(call, came);
  for (const key of keys) assert.ok(key in came, `${call}: no ${key} in ${JSON.stringify(came)}`);
}

async function refused(call, status, action, words = '') {
  await assert.rejects(action, (error) => {
    tell(call, `${error.statusCode} ${error.json?.message ?? error.message}`);
    assert.strictEqual(error.statusCode, status, `${call}: ${error.message}`);
    return error.message.includes(words);
  }, call);
}

async function text(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks.map((chunk) => Buffer.from(chunk)));
}

// Standard output and error of a stream that has both.
async function apart(stream) {
  const sides = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, ...sides);
  stream.on('end', () => sides.forEach((side) => side.end()));
  stream.on('close', () => sides.forEach((side) => side.end()));
  return (await Promise.all(sides.map(text))).map(String);
}

function followed(stream) {
  return new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error, rows) => (error ? reject(error) : resolve(rows)));
  });
}

async function withContainer(asked, action) {
  const made = await docker.createContainer({
    Image: 'busybox', Cmd: IDLE, ...asked, HostConfig: { NetworkMode: 'none', ...asked.HostConfig },
  });
  try {
    await action(made);
  } finally {
    await made.remove({ force: true, v: true });
  }
}

// A stream that has begun, read up to its first so many bytes.
async function first(stream, size) {
  let data = Buffer.alloc(0);
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    data = Buffer.concat([data, Buffer.from(chunk)]);
    if (data.length >= size) return data;
  }
  return data;
}

const resources = {
  async containers() {
    const out = new PassThrough();
    const create = { HostConfig: { NetworkMode: 'none' }, Tty: false };
    const [ran, ended] = await docker.run('busybox', ['sh', '-c', 'echo hi; exit 2'], out, create);
    same('run(busybox): StatusCode', ran.StatusCode, 2);
    await ended.remove();
    await withContainer({ name: 'life', Labels: { who: 'dockerode' } }, async (made) => {
      await made.start();
      same('start, inspect: Status', (await made.inspect()).State.Status, 'running');
      await refused('start again', 304, () => made.start());
      await made.pause();
      same('pause', (await made.inspect()).State.Status, 'paused');
      await made.unpause();
      await made.rename({ name: 'lives' });
      const filters = { label: ['who=dockerode'], status: ['running'] };
      const rows = await docker.listContainers({ all: true, size: true, filters });
      same('rename, listContainers(filters)', rows.map((row) => row.Names), [['/lives']]);
      has('  a row', rows[0], 'SizeRootFs', 'Ports', 'Mounts', 'NetworkSettings');
      await made.update({ Memory: 64 << 20, MemorySwap: 64 << 20 });
      same('update', (await made.inspect()).HostConfig.Memory, 64 << 20);
      const { Processes } = await made.top({ ps_args: '-eo pid,args' });
      same('top', Processes.map((row) => row.at(-1)), ['sleep 1000']);
      same('changes: none', String(await made.changes()).trim(), 'null'); // not parsed by it
      has('commit', await made.commit({ repo: 'lives', tag: 'saved' }), 'Id');
      await docker.getImage('lives:saved').remove();
      assert.ok((await text(await made.export())).length > 100_000, 'export');
      await refused('remove: it runs', 409, () => made.remove());
      await made.restart({ t: 0 });
      await made.kill();
      same('restart, kill, wait', (await made.wait()).StatusCode, 137);
      await refused('kill again', 409, () => made.kill(), 'is not running');
      await made.start();
      await made.stop({ t: 0 });
      await refused('stop again', 304, () => made.stop());
    });
    await refused('inspect once it is removed', 404, () => docker.getContainer('lives').inspect());
    await refused('createContainer(no image)', 404, () => docker.createContainer({ Image: 'no-such' }));
    await docker.createContainer({ Image: 'busybox' });
    same('pruneContainers', (await docker.pruneContainers()).ContainersDeleted.length, 1);
  },

  async exec() {
    await withContainer({}, async (made) => {
      await made.start();
      const both = ['sh', '-c', 'echo out; echo err >&2; exit 3'];
      const exec = await made.exec({ Cmd: both, AttachStdout: true, AttachStderr: true });
      same('exec.start: both', await apart(await exec.start()), ['out\n', 'err\n']);
      const seen = await exec.inspect();
      same('exec.inspect', [seen.Running, seen.ExitCode], [false, 3]);
      const talk = await made.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true });
      const stream = await talk.start({ hijack: true, stdin: true });
      stream.end('said\n'); // half-closed: cat sees the end
      same('exec.start({hijack, stdin})', await apart(stream), ['said\n', '']);
      const terminal = await made.exec({
        Cmd: ['sh', '-c', 'read x; stty size'], AttachStdin: true, AttachStdout: true, Tty: true,
      });
      const screen = await terminal.start({ hijack: true, stdin: true, Tty: true });
      await terminal.resize({ h: 33, w: 99 });
      screen.write('\n');
      const came = String(await text(screen)).trim();
      same('exec.resize; stty size', came, '33 99');
    });
    await refused('inspect of none', 404, () => docker.getExec('0').inspect());
  },

  async attach() {
    const asked = { Cmd: ['sh', '-c', 'read x; echo got $x'], OpenStdin: true, StdinOnce: true };
    await withContainer(asked, async (made) => {
      const options = { stream: true, stdin: true, stdout: true, stderr: true, hijack: true };
      const stream = await made.attach(options);
      await made.start();
      stream.write('this\n');
      same('attach', await apart(stream), ['got this\n', '']);
      same('wait', (await made.wait()).StatusCode, 0);
    });
    await withContainer({ ...asked, Tty: true }, async (made) => {
      const stream = await made.attach({ stream: true, stdin: true, stdout: true, hijack: true });
      await made.start();
      await made.resize({ h: 20, w: 60 });
      stream.write('that\n');
      same('attach to a terminal', String(await text(stream)), 'that\r\ngot that\r\n');
    });
  },

  async logs() {
    await withContainer({ Cmd: ['sh', '-c', 'seq 5; echo err >&2'] }, async (made) => {
      await made.start();
      await made.wait();
      const lines = await made.logs({ stdout: true, tail: 2 });
      same('logs(tail: 2)', String(lines.subarray(8)).slice(0, 2), '5\n');
      const stream = await made.logs({ stdout: true, stderr: true, follow: true });
      same('logs(follow)', await apart(stream), ['1\n2\n3\n4\n5\n', 'err\n']);
      await refused('logs of neither', 400, () => made.logs({}));
    });
  },

  async stats() {
    await withContainer({}, async (made) => {
      await made.start();
      const once = await made.stats({ stream: false, 'one-shot': true });
      has('stats({stream: false})', once, 'cpu_stats', 'memory_stats', 'pids_stats', 'blkio_stats');
      const stream = await made.stats({ stream: true });
      const row = JSON.parse(String(await first(stream, 100)).split('\n')[0]);
      stream.destroy();
      same('stats({stream: true}): id', row.id, made.id);
    });
  },

  async archive() {
    await withContainer({}, async (made) => {
      const pack = require('tar-fs').pack(__dirname, { entries: ['package.json'] });
      await made.putArchive(pack, { path: '/tmp' });
      const head = await made.infoArchive({ path: '/tmp/package.json' });
      const stat = JSON.parse(Buffer.from(head.headers['x-docker-container-path-stat'], 'base64'));
      same('putArchive, infoArchive: name', stat.name, 'package.json');
      const data = await text(await made.getArchive({ path: '/tmp/package.json' }));
      same('getArchive', data.includes('boxship-drives-dockerode'), true);
      await refused('getArchive of nothing', 404, () => made.getArchive({ path: '/nowhere' }));
    });
  },

  async images() {
    const image = docker.getImage('busybox');
    const { Id } = await image.inspect();
    has('history', (await image.history())[0], 'Id', 'CreatedBy', 'Tags');
    await image.tag({ repo: 'shop/node', tag: '1' });
    const filters = { reference: ['shop/*'] };
    const rows = await docker.listImages({ filters, digests: true });
    same('tag, listImages(filters)', rows.map((row) => row.Id), [Id]);
    const archive = await text(await docker.getImage('shop/node:1').get());
    has('remove', (await docker.getImage('shop/node:1').remove())[0], 'Untagged');
    const { Readable } = require('node:stream');
    const said = await followed(await docker.loadImage(Readable.from([archive])));
    same('get, loadImage', said.some((row) => (row.stream || '').includes('shop/node:1')), true);
    await docker.getImage('shop/node:1').remove();
    await refused('inspect of none', 404, () => docker.getImage('nothing').inspect(), 'No such image');
    has('pruneImages', await docker.pruneImages({ filters: { dangling: { true: true } } }), 'SpaceReclaimed');
  },

  async registry() {
    const name = `${registry}/shop/node`;
    await docker.getImage('busybox').tag({ repo: name, tag: '1' });
    const pushed = await followed(await docker.getImage(name).push({ tag: '1' }));
    has('push', pushed.at(-1).aux, 'Digest', 'Size', 'Tag');
    has('distribution', await docker.getImage(`${name}:1`).distribution(), 'Descriptor', 'Platforms');
    await docker.getImage(`${name}:1`).remove();
    const pulled = await followed(await docker.pull(`${name}:1`));
    same('pull', pulled.at(-1).status, `Status: Downloaded newer image for ${name}:1`);
    await docker.getImage(`${name}:1`).remove();
    await refused('pull of nothing', 404, () => docker.pull(`${name}:nothing`));
  },

  async volumes() {
    const made = await docker.createVolume({ Name: 'data', Labels: { of: 'dockerode' } });
    has('createVolume, inspect', await made.inspect(), 'Mountpoint', 'Scope', 'CreatedAt', 'Labels');
    const { Volumes } = await docker.listVolumes({ filters: { label: ['of=dockerode'] } });
    same('listVolumes(filters)', Volumes.map((volume) => volume.Name), ['data']);
    const Mounts = [{ Type: 'volume', Source: 'data', Target: '/data' }];
    await withContainer({ HostConfig: { Mounts } }, () =>
      refused('remove in use', 409, () => made.remove(), 'volume is in use'));
    await made.remove();
    await refused('inspect of none', 404, () => made.inspect());
    await docker.createVolume({});
    same('pruneVolumes', (await docker.pruneVolumes()).VolumesDeleted.length, 1);
  },

  async networks() {
    const Config = [{ Subnet: '10.78.0.0/24', Gateway: '10.78.0.1' }];
    const net = await docker.createNetwork({ Name: 'shop', IPAM: { Config }, Labels: { a: 'b' } });
    const rows = await docker.listNetworks({ filters: { label: ['a=b'] } });
    same('createNetwork, listNetworks', rows.map((row) => row.Name), ['shop']);
    await withContainer({ name: 'web', HostConfig: { NetworkMode: 'bridge' } }, async (made) => {
      await made.start();
      const EndpointConfig = { Aliases: ['www'], IPAMConfig: { IPv4Address: '10.78.0.78' } };
      await net.connect({ Container: 'web', EndpointConfig });
      const { Containers } = await net.inspect();
      same('connect, inspect', Containers[made.id].IPv4Address, '10.78.0.78/24');
      await refused('remove in use', 403, () => net.remove(), 'has active endpoints');
      await net.disconnect({ Container: 'web' });
      same('disconnect', (await net.inspect()).Containers, {});
    });
    await refused('createNetwork once more', 409, () => docker.createNetwork({ Name: 'shop', CheckDuplicate: true }));
    same('pruneNetworks', (await docker.pruneNetworks()).NetworksDeleted, ['shop']);
    await refused('inspect of none', 404, () => net.inspect());
  },

  async events() {
    const stream = await docker.getEvents({ filters: { type: ['volume'] } });
    const volume = await docker.createVolume({ Name: 'seen' });
    await volume.remove();
    let lines = '';
    for await (const chunk of stream) {
      lines += chunk;
      if (lines.includes('"destroy"')) break;
    }
    const rows = lines.trim().split('\n').map((line) => JSON.parse(line));
    same('getEvents', rows.map((row) => row.Action), ['create', 'destroy']);
    has('  one', rows[0], 'Type', 'Actor', 'scope', 'time', 'timeNano');
  },

  async system() {
    same('ping', String(await docker.ping()), 'OK');
    has('version', await docker.version(), 'ApiVersion', 'MinAPIVersion', 'Components');
    has('info', await docker.info(), 'Containers', 'Driver', 'Plugins', 'RegistryConfig', 'Swarm');
    const usage = await docker.df(); // without a version in the path: in the newest shape of the engine
    has('df', usage, ...('LayersSize' in usage ? ['Images', 'Containers'] : ['ImageUsage', 'VolumeUsage']));
    await refused('listNodes', 503, () => docker.listNodes(), 'swarm manager');
    same('listPlugins', await docker.listPlugins(), []);
    const auth = { username: 'me', password: 'secret', serveraddress: registry };
    same('checkAuth', (await docker.checkAuth(auth)).Status, 'Login Succeeded');
  },
};

async function main() {
  for (const name of wanted.length ? wanted : Object.keys(resources)) await resources[name]();
}

main().then(() => process.exit(0), (error) => {
  console.error(`SURPRISE ${error.stack}`);
  process.exit(1);
});
