// Describes a method to grpc-js; messages are bytes to it, their encoding is ours.
import type { MethodDefinition } from '@grpc/grpc-js'

const asTheyAre = (bytes: Buffer): Buffer => bytes

export const method = (
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream,
  responseStream,
  requestSerialize: asTheyAre,
  requestDeserialize: asTheyAre,
  responseSerialize: asTheyAre,
  responseDeserialize: asTheyAre,
})
