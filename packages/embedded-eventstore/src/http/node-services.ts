// The parts of the Gossip and Operations services that a single node can serve.
import type { Server, ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js'
import type { Guard } from '../security/guard.ts'
import { failureOf } from '../wire/errors.ts'
import { method } from '../wire/method.ts'
import { gossip, type Node, operations } from './node.ts'

type Call = ServerUnaryCall<Buffer, Buffer>

const empty = Buffer.alloc(0)

export const addNodeServices = (server: Server, node: Node, guard: Guard, stop: () => void): void => {
  server.addService(
    { read: method(`/${gossip}/Read`, false, false) },
    { read: (_: Call, reply: sendUnaryData<Buffer>): void => reply(null, node.clusterInfo()) },
  )
  server.addService(
    { shutdown: method(`/${operations}/Shutdown`, false, false) },
    {
      shutdown: (call: Call, reply: sendUnaryData<Buffer>): void => {
        try {
          guard.callerOf(call).check('shut down')
          reply(null, empty)
          stop()
        } catch (error) {
          reply(failureOf(error))
        }
      },
    },
  )
}
