// Describes a method to grpc-js with messages as bytes: we encode them.
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
