// How the pages are built: rendered on the server, dist/client for browsers and dist/server for src/web-server.ts.
import type { Config } from '@react-router/dev/config'

export default {
  appDirectory: 'app',
  buildDirectory: 'dist',
  ssr: true,
  // All routes are few: asking for them one by one would fail whenever the connection does.
  routeDiscovery: { mode: 'initial' },
} satisfies Config
