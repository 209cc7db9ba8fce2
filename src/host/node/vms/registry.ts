/**
 * The virtual machines of this user: who has which name, which run, what became of the others. There is no process that
 * knows: each looks at the folders, one at a time (see registry-lock.ts).
 */
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, type Result } from '../../../support/result.ts';
import { randomBytes } from '../random.ts';
import { consoleLogFile, previousLogFile } from './console-log.ts';
import { identifyProcess, isAlive, type ProcessIdentity } from './process-identity.ts';
import { withRegistryLock } from './registry-lock.ts';
import {
  providePrivateFolder,
  socketName,
  socketsFolder,
  vmSocketsFolder,
  vmStateFolder,
  vmsFolder,
} from './vm-folders.ts';
import { parseVmName } from './vm-name.ts';
import {
  readRecord,
  recordFile,
  type VmDefinition,
  type VmOutcome,
  type VmProcess,
  writeRecord,
} from './vm-records.ts';

/** `crashed`: its process has ended without a word. `damaged`: it does not run, and its records cannot be read. */
export type VmState = 'running' | 'ended' | 'crashed' | 'damaged';

export interface VmEntry {
  readonly name: string;
  readonly state: VmState;
  readonly stateFolder: string;
  readonly definition: VmDefinition | undefined;
  readonly process: VmProcess | undefined;
  readonly outcome: VmOutcome | undefined;
  /** What is wrong with the records. */
  readonly damage: string | undefined;
}

/** A virtual machine that this process runs. */
export interface VmClaim {
  readonly name: string;
  readonly stateFolder: string;
  readonly socketsFolder: string;
  /** Whether there was none of that name before. */
  readonly isNew: boolean;
  readonly identity: ProcessIdentity;
}

const removedPrefix = '.removed-';

/** What a virtual machine's own process writes its messages to, when it has no terminal. */
export const messagesFile = (stateFolder: string): string => join(stateFolder, 'messages.log');

/** The sockets of one that runs. */
export function vmSockets(entry: VmEntry): Readonly<Record<keyof typeof socketName, string>> | undefined {
  if (entry.state !== 'running' || entry.process === undefined) return undefined;
  const folder = entry.process.socketsFolder;
  const path = (name: keyof typeof socketName): string => join(folder, socketName[name]);
  return { control: path('control'), console: path('console'), vsock: path('vsock') };
}

/** Whether one that was found running does not run any more; cheap enough to be asked often. */
export function hasEnded({ state, stateFolder, process: holder }: VmEntry): boolean {
  return state !== 'running' || existsSync(recordFile(stateFolder, 'outcome')) || !holder || !isAlive(holder);
}

/** Errors: `usage`, no name at all; `input`, nobody has that name. */
export function findVm(name: string): Result<VmEntry> {
  const valid = parseVmName(name);
  if (!valid.ok) return valid;
  if (!existsSync(vmStateFolder(name))) return noSuchVm(name);
  return withRegistryLock(vmsFolder(), () => {
    const entry = inspect(name);
    return entry === undefined ? noSuchVm(name) : ok(entry);
  });
}

/** Every virtual machine, by name; sockets that a crash has left are cleared away. */
export function listVms(): Result<readonly VmEntry[]> {
  if (!existsSync(vmsFolder())) return ok([]);
  return withRegistryLock(vmsFolder(), () => {
    const entries = vmNames().map(inspect);
    const found = entries.filter((entry) => entry !== undefined);
    for (const entry of found) if (entry.state === 'crashed') clearSockets(entry.process);
    return ok(found);
  });
}

export function vmNames(): string[] {
  if (!existsSync(vmsFolder())) return [];
  const names = readdirSync(vmsFolder(), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  return names.filter((name) => parseVmName(name).ok).sort();
}

/**
 * Makes this process the one that runs the virtual machine `definition.name`. One of that name that does not run any
 * more starts again: its logs begin anew, its disks stay.
 */
export function claimVm(definition: VmDefinition): Result<VmClaim> {
  const { name } = definition;
  const sockets = vmSocketsFolder(name);
  if (!sockets.ok) return sockets;
  for (const folder of [vmsFolder(), socketsFolder()]) {
    const provided = providePrivateFolder(folder);
    if (!provided.ok) return provided;
  }
  return withRegistryLock(vmsFolder(), () => claim(definition, sockets.value));
}

function claim(definition: VmDefinition, sockets: string): Result<VmClaim> {
  const { name } = definition;
  const stateFolder = vmStateFolder(name);
  const before = inspect(name);
  if (before?.state === 'running') {
    const holder = `process ${before.process?.pid} runs it`;
    return fail('input', `there is a virtual machine ${name} already (${holder}); take another name.`);
  }
  const identity = identifyProcess(process.pid);
  if (identity === undefined) return fail('input', 'this process cannot find itself among those of the system.');
  // Another state folder may share this runtime folder.
  const owner = readRecord(sockets, 'process');
  if (owner.ok && owner.value !== undefined && isAlive(owner.value)) {
    return fail('input', `process ${owner.value.pid} uses the sockets in ${sockets}; take another name.`);
  }
  clearSockets(before?.process);
  removeSockets(sockets);
  for (const folder of [stateFolder, sockets]) {
    const provided = providePrivateFolder(folder);
    if (!provided.ok) return provided;
  }
  const consoleLog = consoleLogFile(stateFolder);
  const stale = [
    consoleLog,
    previousLogFile(consoleLog),
    messagesFile(stateFolder),
    recordFile(stateFolder, 'outcome'),
  ];
  for (const path of stale) rmSync(path, { force: true });
  writeRecord(stateFolder, 'definition', definition);
  const holder = { ...identity, startedAt: new Date().toISOString(), socketsFolder: sockets };
  writeRecord(sockets, 'process', holder);
  writeRecord(stateFolder, 'process', holder);
  return ok({ name, stateFolder, socketsFolder: sockets, isNew: before === undefined, identity });
}

/** Gives the claim back, and writes down how it ended. */
export function finishVm(claim: VmClaim, outcome: VmOutcome): Result<void> {
  return giveBack(claim, () => writeRecord(claim.stateFolder, 'outcome', outcome));
}

/** Gives back the claim of what has never run; one that was new leaves nothing behind. */
export function abandonVm(claim: VmClaim, outcome: VmOutcome): Result<void> {
  if (!claim.isNew) return finishVm(claim, outcome);
  return giveBack(claim, () => rmSync(claim.stateFolder, { recursive: true, force: true }));
}

/** Writes down how one ended whose process was killed and could not do it. */
export function finishKilledVm(name: string, killed: ProcessIdentity, outcome: VmOutcome): Result<void> {
  const stateFolder = vmStateFolder(name);
  return giveBack({ name, identity: killed }, () => {
    if (!existsSync(recordFile(stateFolder, 'outcome'))) writeRecord(stateFolder, 'outcome', outcome);
  });
}

function giveBack(claim: Pick<VmClaim, 'name' | 'identity'>, act: () => void): Result<void> {
  return withRegistryLock(vmsFolder(), () => {
    // Somebody may have deleted the folder, and another taken the name.
    const holder = inspect(claim.name)?.process;
    if (holder?.pid !== claim.identity.pid || holder.started !== claim.identity.started) return ok(undefined);
    clearSockets(holder);
    act();
    return ok(undefined);
  });
}

/** Deletes all that is kept of a virtual machine that does not run. */
export function removeVm(name: string): Result<void> {
  const found = findVm(name);
  if (!found.ok) return found;
  const folder = vmsFolder();
  const moved = withRegistryLock(folder, () => {
    const entry = inspect(name);
    if (entry === undefined) return noSuchVm(name);
    if (entry.state === 'running') {
      return fail('running', `${name} runs; stop it first, or give --force.`);
    }
    clearSockets(entry.process);
    renameSync(entry.stateFolder, join(folder, `${removedPrefix}${randomBytes(8).toString('hex')}`));
    return ok(undefined);
  });
  if (!moved.ok) return moved;
  // Also what another removal could not finish.
  for (const left of readdirSync(folder).filter((entry) => entry.startsWith(removedPrefix))) {
    rmSync(join(folder, left), { recursive: true, force: true });
  }
  return ok(undefined);
}

function inspect(name: string): VmEntry | undefined {
  const stateFolder = vmStateFolder(name);
  if (!existsSync(stateFolder)) return undefined;
  const definition = readRecord(stateFolder, 'definition');
  const process = readRecord(stateFolder, 'process');
  const outcome = readRecord(stateFolder, 'outcome');
  const damage = [definition, process, outcome].find((record) => !record.ok);
  const holder = process.ok ? process.value : undefined;
  const alive = holder !== undefined && isAlive(holder);
  let state: VmState = 'crashed';
  // With an outcome it has been given back, also if its process has not quite gone.
  if (outcome.ok && outcome.value !== undefined) state = 'ended';
  else if (alive) state = 'running';
  if (damage !== undefined && !alive) state = 'damaged';
  return {
    name,
    state,
    stateFolder,
    definition: definition.ok ? definition.value : undefined,
    process: holder,
    outcome: outcome.ok ? outcome.value : undefined,
    damage: damage?.ok === false ? damage.error.message : undefined,
  };
}

/** Removes the sockets of a process, unless another has their folder now. */
function clearSockets(process: VmProcess | undefined): void {
  if (process === undefined) return;
  const owner = readRecord(process.socketsFolder, 'process');
  const isOwner = owner.ok && owner.value?.pid === process.pid && owner.value.started === process.started;
  if (isOwner) removeSockets(process.socketsFolder);
}

/** Removes what belongs into such a folder, and it if nothing else is there: the path may come from a file. */
function removeSockets(folder: string): void {
  const attempt = (act: () => void): void => {
    try {
      act();
    } catch {
      // It is not there, or holds more than sockets.
    }
  };
  for (const file of Object.values(socketName)) attempt(() => unlinkSync(join(folder, file)));
  attempt(() => unlinkSync(recordFile(folder, 'process')));
  attempt(() => rmdirSync(folder));
}

function noSuchVm(name: string): Result<never> {
  return fail('input', `there is no virtual machine ${name}; "corbel ps --all" lists them.`);
}
