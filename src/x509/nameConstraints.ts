import { StepsealError } from '../base/errors.ts';
import { children, fields, parseDer, type DerNode } from '../der/read.ts';
import { contextConstructed, TAG } from '../der/tags.ts';
import { asIa5 } from '../der/values.ts';
import { GENERAL_NAME } from './names.ts';

/** One GeneralSubtree; minimum 0 and no maximum, as RFC 5280 section 4.2.1.10 demands. */
export interface Subtree {
  /** tag of the GeneralName, as in GENERAL_NAME */
  readonly type: number;
  /** the constraint's text, for URI */
  readonly host: string;
}

export interface NameConstraints {
  readonly permitted: readonly Subtree[];
  readonly excluded: readonly Subtree[];
}

/** Throws DER_INVALID, CERT_INVALID. */
export function parseNameConstraints(value: Uint8Array): NameConstraints {
  const parts = fields(parseDer(value), 'nameConstraints');
  const permitted = parts.optional(contextConstructed(0));
  const excluded = parts.optional(contextConstructed(1));
  parts.end();
  if (!permitted && !excluded) throw new StepsealError('CERT_INVALID', 'nameConstraints is empty', { expected: 'permitted or excluded subtrees' });
  return { permitted: subtrees(permitted), excluded: subtrees(excluded) };
}

function subtrees(node: DerNode | undefined): Subtree[] {
  if (!node) return [];
  const entries = children(node, node.tag, 'subtrees');
  if (entries.length === 0) throw new StepsealError('CERT_INVALID', 'a list of name constraints is empty', { expected: 'one or more subtrees' });
  return entries.map((entry) => {
    const [base, ...rest] = children(entry, TAG.sequence, 'GeneralSubtree');
    if (!base || rest.length > 0) throw new StepsealError('CERT_INVALID', 'a name constraint with minimum or maximum', { expected: 'the base alone' });
    return { type: base.tag, host: base.tag === GENERAL_NAME.uri ? asIa5(base, 'URI constraint', base.tag) : '' };
  });
}
