#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { processIo } from './io.ts';
import { runCli } from './run.ts';

enableCompileCache();
process.exitCode = await runCli(process.argv.slice(2), processIo());
