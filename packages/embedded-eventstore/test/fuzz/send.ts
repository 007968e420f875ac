// Sends one invalid call or connection, and waits until the node ends it, or for a limited time.
import { type ClientHttp2Session, constants } from 'node:http2'
import { connect, type Socket } from 'node:net'
import type { Call, Connection } from './cases.ts'

/** Calls that stay open, such as subscriptions, are ended here after this. */
const msMax = 300

export const sendCall = (session: ClientHttp2Session, { headers, body, end }: Call): Promise<void> =>
  new Promise((resolve) => {
    const stream = session.request(headers)
    const timer = setTimeout(() => stream.destroy(), msMax)
    stream.on('error', () => {})
    stream.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
    stream.resume()
    for (const part of body) stream.write(part)
    if (end === 'half-close') stream.end()
    if (end === 'reset') stream.close(constants.NGHTTP2_CANCEL)
  })

/** @returns the connection, if it has to stay open */
export const sendBytes = (port: number, { sent, end }: Connection): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const timer = setTimeout(() => {
      if (end === 'stall') resolve(socket)
      else socket.destroy()
    }, msMax)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve(undefined)
    })
    socket.resume()
    for (const part of sent) socket.write(part)
    if (end === 'half-close') socket.end()
    if (end === 'destroy') socket.once('connect', () => socket.destroySoon())
  })
