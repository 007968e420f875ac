// Makes a self-signed certificate for development: X.509 written by hand, because node:crypto can only read it.
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

const validDays = 397
const dayMs = 24 * 60 * 60 * 1_000

const der = (tag: number, ...content: readonly Uint8Array[]): Buffer => {
  const bytes = Buffer.concat(content)
  if (bytes.length < 128) return Buffer.concat([Buffer.from([tag, bytes.length]), bytes])
  const hex = bytes.length.toString(16)
  const length = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex')
  return Buffer.concat([Buffer.from([tag, 128 | length.length]), length, bytes])
}
const sequence = (...content: readonly Uint8Array[]): Buffer => der(0x30, ...content)
const identifier = (hex: string): Buffer => der(0x06, Buffer.from(hex, 'hex'))
const octets = (content: Uint8Array): Buffer => der(0x04, content)

const version3 = der(0xa0, der(0x02, Buffer.from([2])))
const ecdsaWithSha256 = sequence(identifier('2a8648ce3d040302'))
const commonName = identifier('550403')
const critical = der(0x01, Buffer.from([0xff]))
const alternativeNames = identifier('551d11')

// Its own authority: it may sign itself and no other certificate.
const basicConstraints = sequence(
  identifier('551d13'),
  critical,
  octets(sequence(critical, der(0x02, Buffer.from([0])))),
)
const digitalSignatureAndCertificates = der(0x03, Buffer.from([2, 0b1000_0100]))
const keyUsage = sequence(identifier('551d0f'), critical, octets(digitalSignatureAndCertificates))
const serverAuthentication = sequence(identifier('551d25'), octets(sequence(identifier('2b06010505070301'))))

const utcTime = (ms: number): Buffer =>
  der(
    0x17,
    Buffer.from(
      `${new Date(ms)
        .toISOString()
        .replaceAll(/[-:T]|\.\d+/g, '')
        .slice(2)}`,
    ),
  )

const ipBytes = (address: string): Buffer => {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number))
  // URL normalizes all forms of an IPv6 address.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text = ''): string[] => (text === '' ? [] : text.split(':'))
  const [before, after] = [groups(head), groups(tail)]
  const all = [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after]
  return Buffer.from(all.map((group) => group.padStart(4, '0')).join(''), 'hex')
}
const alternativeName = (host: string): Buffer =>
  isIP(host) ? der(0x87, ipBytes(host)) : der(0x82, Buffer.from(host, 'latin1'))

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replaceAll(/.{1,64}/g, '$&\n')}-----END ${label}-----\n`

/** @returns a certificate for `hosts`, names or addresses, and its key, as PEM */
export const makeCertificate = (hosts: readonly string[]): { certificate: string; key: string } => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const serial = randomBytes(16)
  serial[0] = (serial.readUInt8(0) & 0x7f) | 0x40 // a positive number of full length
  const name = sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from('embedded-eventstore')))))
  const now = Date.now()
  const names = sequence(alternativeNames, octets(sequence(...hosts.map(alternativeName))))
  const toBeSigned = sequence(
    version3,
    der(0x02, serial),
    ecdsaWithSha256,
    name,
    sequence(utcTime(now - dayMs), utcTime(now + validDays * dayMs)),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(basicConstraints, keyUsage, serverAuthentication, names)),
  )
  const signature = der(0x03, Buffer.from([0]), sign('sha256', toBeSigned, privateKey))
  return {
    certificate: pem('CERTIFICATE', sequence(toBeSigned, ecdsaWithSha256, signature)),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  }
}
