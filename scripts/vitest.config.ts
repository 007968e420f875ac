// How the tests run: every package's and service's test folder, in Node, each test with a deadline.
import { defineConfig } from 'vitest/config'
import slowestFiles from './test/slowest-files.ts'

export default defineConfig({
  test: {
    include: ['{packages,services}/*/test/**/*.test.ts', 'scripts/test/**/*.test.ts'],
    environment: 'node',
    reporters: ['default', slowestFiles],
    // Files that one process runs share what is loaded: loading it for each file took a tenth of the suite.
    isolate: false,
    globalSetup: ['scripts/test/scratch.ts', 'scripts/test/postgres.ts', 'scripts/test/pages.ts'],
    // Most tests wait for processes of their own: three files at a time keep two cores busy, also slow ones.
    maxWorkers: 3,
    // As long as the tests' own waiting: a poll is a deadline, not a measurement.
    expect: { poll: { timeout: 30_000 } },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
