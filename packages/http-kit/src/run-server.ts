// Runs a server as a process: listens, says where, and stops gracefully when told to.
import closeWithGrace from 'close-with-grace'
import type { HttpServer } from './server.ts'

/** For requests in flight and open stores to finish; less than the 30 s that Kubernetes allows. */
const shutdownMsMax = 10_000

/**
 * Listens until the process is told to stop; then finishes the requests in flight, then `close`s what they needed.
 * A port that is taken ends the process with which setting to change.
 */
export const runServer = async (
  server: HttpServer,
  { host, port }: { readonly host: string; readonly port: number },
  close: () => Promise<void>,
): Promise<void> => {
  closeWithGrace({ delay: shutdownMsMax, logger: server.log }, async ({ err }) => {
    if (err) server.log.fatal({ err }, 'stopping after an error nobody handled')
    await server.close()
    await close()
  })
  try {
    await server.listen({ host, port, listenTextResolver: (address) => `listening at ${address}` })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    server.log.fatal(`Port ${port} is taken by another program: stop that, or set PORT to a free one.`)
    process.exit(1)
  }
}
