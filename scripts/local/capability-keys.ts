// The keys of capabilities for this machine: made once, kept in the data folder, readable by its owner only.
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const ownerOnly = 0o600

/** Both as PEM: the gateway signs with the private key, every service checks with the public one. */
export const capabilityKeys = (dataDirectory: string): { readonly privateKey: string; readonly publicKey: string } => {
  const file = path.join(dataDirectory, 'capability-keys.json')
  if (!existsSync(file)) {
    const made = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { format: 'pem', type: 'pkcs8' },
      publicKeyEncoding: { format: 'pem', type: 'spki' },
    })
    mkdirSync(dataDirectory, { recursive: true })
    // Whole or not at all, whenever this is interrupted.
    writeFileSync(`${file}.new`, JSON.stringify(made), { mode: ownerOnly })
    renameSync(`${file}.new`, file)
  }
  return JSON.parse(readFileSync(file, 'utf8'))
}
