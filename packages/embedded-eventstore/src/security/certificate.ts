// Loads the certificate and key of the node: given files, or self-signed ones.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { createSecureContext } from 'node:tls'
import { makeCertificate } from './self-signed.ts'

const renewBeforeMs = 30 * 24 * 60 * 60 * 1_000
const ownerOnly = 0o600

/** @property file the path of the certificate, for clients that have to trust it; undefined when it is only in memory */
export type Tls = { certificate: string; key: string; file: string | undefined }

const readFile = (what: string, path: string): string => {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new Error(`The ${what} cannot be read: ${error instanceof Error ? error.message : error}`)
  }
}

/** @throws with the file's name when one of them cannot be read, or they do not match */
export const loadCertificate = (certificateFile: string, keyFile: string): Tls => {
  const certificate = readFile('TLS certificate', certificateFile)
  const key = readFile('TLS key', keyFile)
  try {
    createSecureContext({ cert: certificate, key })
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))) throw new Error('they do not match.')
  } catch (error) {
    const reason = error instanceof Error ? error.message : error
    throw new Error(`${certificateFile} and ${keyFile} are no certificate with its key in PEM: ${reason}`)
  }
  return { certificate, key, file: undefined }
}

const stillGood = (certificate: string, hosts: readonly string[]): boolean => {
  const parsed = new X509Certificate(certificate)
  const isNamed = (host: string): boolean => Boolean(isIP(host) ? parsed.checkIP(host) : parsed.checkHost(host))
  return Date.parse(parsed.validTo) - renewBeforeMs > Date.now() && hosts.every(isNamed)
}

/** Kept in the directory, so that clients can trust it across restarts; renewed when `hosts` require it. */
export const selfSigned = (directory: string | undefined, hosts: readonly string[]): Tls => {
  if (directory === undefined) return { ...makeCertificate(hosts), file: undefined }
  const certificateFile = join(directory, 'tls-certificate.pem')
  const keyFile = join(directory, 'tls-key.pem')
  try {
    const kept = loadCertificate(certificateFile, keyFile)
    if (stillGood(kept.certificate, hosts)) return { ...kept, file: certificateFile }
  } catch {
    // Missing, or incomplete after a crash: no client trusts that one yet.
  }
  const made = makeCertificate(hosts)
  mkdirSync(directory, { recursive: true })
  writeFileSync(keyFile, made.key, { mode: ownerOnly })
  writeFileSync(certificateFile, made.certificate)
  return { ...made, file: certificateFile }
}
