// Runs a server as a process: listens, says where, and stops gracefully when told to.
import closeWithGrace from 'close-with-grace'
import type { HttpServer } from './server.ts'

/** For requests in flight and open stores to finish; less than the 30 s that Kubernetes allows. */
const shutdownMsMax = 10_000

type Address = { readonly host: string; readonly port: number }

/** Ends the process when the port is in use, and names the setting to change. */
const listen = async (server: HttpServer, address: Address, setting: string): Promise<void> => {
  const { host, port } = address
  try {
    await server.listen({ host, port, listenTextResolver: (address) => `listening at ${address}` })
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error
    server.log.fatal(`Port ${port} is taken by another program: stop that, or set ${setting} to a free one.`)
    process.exit(1)
  }
}

/**
 * Listens until the process is told to stop; then finishes the requests in flight, then `close`s what they needed.
 * @param people what other services of ours ask at PEOPLE_PORT, where this process answers that
 */
export const runServer = async (
  server: HttpServer,
  address: Address,
  close: () => Promise<void>,
  people?: { readonly server: HttpServer; readonly port: number } | undefined,
): Promise<void> => {
  closeWithGrace({ delay: shutdownMsMax, logger: server.log }, async ({ err }) => {
    if (err) server.log.fatal({ err }, 'stopping after an error nobody handled')
    await Promise.all([server.close(), people?.server.close()])
    await close()
  })
  await listen(server, address, 'PORT')
  if (people) await listen(people.server, { host: address.host, port: people.port }, 'PEOPLE_PORT')
}
