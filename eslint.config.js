import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** The rooms of src/, each with the rooms it may call (docs/design.md). `kernel-types` is the face of kernel/: its interfaces, no access. */
const mayCall = {
  kernel: [],
  engine: ['kernel'],
  files: ['engine'],
  tree: ['files'],
  fuse: ['tree'],
  compat: ['files', 'kernel'],
  daemon: ['compat', 'fuse', 'tree', 'files', 'engine', 'kernel'],
  cli: ['compat', 'daemon'],
};

const rooms = Object.keys(mayCall);

function roomRule(room) {
  const forbidden = rooms.filter((other) => other !== room && !mayCall[room].includes(other));
  const patterns = forbidden.map((other) => ({
    group: [`**/${other}/*`, `**/${other}/**`],
    message: `${room}/ must not call ${other}/: calls go cli -> daemon -> (fuse -> tree -> files) -> engine -> kernel.`,
  }));
  if (room === 'engine')
    patterns.push({
      group: ['**/kernel/linux/**', '**/kernel/simulated/**'],
      message: 'engine/ is pure over the Kernel interface: it knows no implementation of it.',
    });
  if (['engine', 'files', 'tree'].includes(room))
    patterns.push({
      group: ['node:fs', 'node:fs/*', 'node:child_process'],
      message: `engine/, files/ and tree/ do not touch the machine: ask the Kernel interface.`,
    });
  return {
    files: [`src/${room}/**/*.ts`, `src/${room}/**/*.cts`],
    rules: { '@typescript-eslint/no-restricted-imports': ['error', { patterns }] },
  };
}

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'node_modules/', '.tap/', 'tap-snapshots/'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({ ...config, files: ['**/*.ts', '**/*.cts'] })),
  {
    files: ['**/*.ts', '**/*.cts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        Buffer: 'readonly',
      },
    },
  },
  ...rooms.map(roomRule),
);
