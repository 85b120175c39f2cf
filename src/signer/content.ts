import { StepsealError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { parseJson } from '../base/json.ts';
import { isObject } from '../base/read.ts';
import { encodeStatement, STATEMENT_TYPE } from '../envelope/statement.ts';
import type { Item } from '../rpc/gen/stepseal/seal_pb.js';
import type { Content } from './seal.ts';

/**
 * What a caller asks to have sealed by digest or as a statement; a path is for whoever can open it.
 * Throws SEAL_INVALID, HEX_INVALID, STATEMENT_INVALID and the codes of parseJson.
 */
export function contentOf({ name, what }: Item): Content {
  switch (what.case) {
    case 'sha256':
      return { kind: 'artifact', name, sha256: fromHex(what.value, 32) };
    case 'statement': {
      const { predicateType, subjects } = what.value;
      const predicate = parseJson(what.value.predicate);
      if (!isObject(predicate)) throw new StepsealError('STATEMENT_INVALID', 'a predicate is a JSON object');
      const subject = subjects.map((item) => ({ name: item.name, digest: { sha256: item.sha256 } }));
      return { kind: 'statement', name, payload: encodeStatement({ _type: STATEMENT_TYPE, subject, predicateType, predicate }) };
    }
    default:
      throw new StepsealError('SEAL_INVALID', 'an item that cannot be sealed here', { expected: 'sha256 or statement', found: what.case ?? 'nothing' });
  }
}
