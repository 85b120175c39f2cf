import { setTimeout as sleep } from 'node:timers/promises';
import { describeError, isStepsealError, StepsealError } from '../base/errors.ts';
import { formatTime } from '../base/time.ts';
import { Node } from '../rpc/gen/stepseal/node_pb.js';
import type { Connection, Stub } from '../rpc/client.ts';
import type { Bell } from './bell.ts';
import { asServerIdentity, connectServer, type ServerAddress } from './connect.ts';
import type { ServerLink } from './core.ts';
import { renewIdentity } from './join.ts';
import { renewalTime, usable } from './lease.ts';
import type { AgentLimits, AgentPorts } from './options.ts';
import { type AgentState, writeIdentity } from './state.ts';
import { trustOfMessage, type TrustStore } from './trust.ts';

export interface Link extends ServerLink {
  /** the trust stream is open */
  readonly up: boolean;
  /** this agent's own SVID is valid, and the server has not said that it does not know it */
  readonly usable: boolean;
  stop(): Promise<void>;
}

export interface LinkPorts extends Pick<AgentPorts, 'clock' | 'rng' | 'log'> {
  readonly data: string;
  readonly server: ServerAddress;
  readonly trust: TrustStore;
  /** rung when the server comes or goes, and when the bundle changes */
  readonly bell: Bell;
  readonly limits: AgentLimits;
}

/**
 * Keeps the connection to the server: the trust stream open, with growing pauses while the server is away, and the
 * agent's own SVID renewed at half of its life, each renewal on a new connection. Nothing is asked of the server besides.
 */
export function openLink(state: AgentState, ports: LinkPorts): Link {
  const { clock, rng, log, trust, bell, limits } = ports;
  const ending = new AbortController();
  let identity = state.identity;
  let renewAt = renewalTime(identity, rng);
  let refused = false;
  let up: boolean | undefined;
  let taking = Promise.resolve();
  let told = '';
  let watch = new AbortController();
  let connection = connect();
  let node = connection.stub(Node);

  function connect(): Connection {
    return connectServer(ports.server, identity, trust.current(), clock, limits.keepaliveMs);
  }

  /** The old connection ends when its calls have; its trust stream ends now. */
  const reconnect = (): void => {
    const old = { connection, watch };
    watch = new AbortController();
    connection = connect();
    node = connection.stub(Node);
    old.watch.abort();
    old.connection.close();
  };

  const setUp = (now: boolean, error?: unknown): void => {
    const unknown = isStepsealError(error) && error.code === 'AGENT_UNKNOWN';
    if (up === now && refused === unknown) return;
    if (now) log.info({}, 'the server is there');
    else if (unknown) log.error({ error: describeError(error) }, 'the server does not know this agent: it has to join anew');
    else log.warn({ error: describeError(error) }, 'the server is away; what is kept serves until it expires');
    [up, refused] = [now, unknown];
    bell.ring();
  };

  const tellOnce = (message: string, error: unknown): void => {
    const text = describeError(error);
    if (told !== message + text) log.warn({ error: text }, message);
    told = message + text;
  };

  const takeTrust = async (message: Parameters<typeof trustOfMessage>[0]): Promise<void> => {
    try {
      const change = await trust.take(trustOfMessage(message, trust.current().trustDomain));
      if (change !== 'none') {
        log.info({ sequence: Number(message.sequence) }, 'the bundle has changed');
        bell.ring();
      }
      if (change === 'roots') reconnect();
    } catch (error) {
      log.error({ error: describeError(error) }, 'the bundle of the server cannot be used; the kept one stays');
    }
  };

  const watching = async (): Promise<void> => {
    let pause = limits.backoffMs.first;
    while (!ending.signal.aborted) {
      const { signal } = watch;
      const failed = await node.watchTrust({}, (message) => {
        pause = limits.backoffMs.first;
        setUp(true);
        taking = taking.then(() => takeTrust(message));
      }, { signal }).then(() => new StepsealError('SERVICE_UNREACHABLE', 'the server has ended the stream'), asServerIdentity);
      if (signal.aborted) continue;
      setUp(false, failed);
      // up to a fifth more, so that agents do not come back all at once
      await pauseFor(pause * (1 + rng.bytes(1)[0]! / 1280), ending.signal);
      pause = Math.min(pause * 2, limits.backoffMs.longest);
      if (!ending.signal.aborted) reconnect();
    }
  };

  const renewing = async (): Promise<void> => {
    let pause = limits.backoffMs.first;
    while (!ending.signal.aborted) {
      await bell.next(bell.rung, () => clock.now() >= renewAt || !usable(identity, clock.now()), ending.signal);
      if (bell.stopped) return;
      if (clock.now() < renewAt && usable(identity, clock.now())) continue;
      try {
        const renewed = await renewIdentity(connection, trust.current(), clock);
        await writeIdentity(ports.data, renewed);
        identity = renewed;
        // a clock that is far ahead of the server's would be past it at once
        renewAt = Math.max(renewalTime(identity, rng), clock.now() + limits.backoffMs.longest);
        told = '';
        pause = limits.backoffMs.first;
        log.info({ agent: identity.id, until: formatTime(identity.notAfter) }, 'own SVID renewed');
        reconnect();
      } catch (error) {
        tellOnce(usable(identity, clock.now()) ? 'own SVID not renewed; tried again' : 'own SVID is not valid now: where this is not the clock, this agent has to join anew', error);
        await pauseFor(pause, ending.signal);
        pause = Math.min(pause * 2, limits.backoffMs.longest);
      }
    }
  };

  const loops = Promise.all([watching(), renewing()]);
  return {
    node: (): Stub<typeof Node> => node,
    get up() {
      return up === true;
    },
    get usable() {
      return !refused && usable(identity, clock.now());
    },
    async stop() {
      ending.abort();
      watch.abort();
      await loops;
      connection.close();
    },
  };
}

/** Ends early, without complaint, when the signal is aborted. */
async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
