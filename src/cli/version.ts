import manifest from '../../package.json' with { type: 'json' };

/** The version of this package; the bundler writes it into the release. */
export const version: string = manifest.version;
