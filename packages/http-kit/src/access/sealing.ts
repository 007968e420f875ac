// Encrypts what is kept outside the process, so that only a service with the same key can read it or make it.
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'

const algorithm = 'aes-256-gcm'
const keyBytes = 32
const ivBytes = 12
const tagBytes = 16

export type Sealing = {
  /** `purpose` is bound to the text: what was sealed for one thing does not open as another. */
  readonly seal: (text: string, purpose: string) => Buffer
  /** Undefined for what this key did not seal, or not for this purpose. */
  readonly open: (sealed: Buffer, purpose: string) => string | undefined
}

/** @param use what else is sealed under the same secret has another key */
export const createSealing = (secret: string, use: string): Sealing => {
  const key = Buffer.from(hkdfSync('sha256', secret, '', use, keyBytes))
  return {
    seal: (text, purpose) => {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes }).setAAD(Buffer.from(purpose))
      const encrypted = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), encrypted])
    },
    open: (sealed, purpose) => {
      if (sealed.length < ivBytes + tagBytes) return undefined
      const tagEnd = ivBytes + tagBytes
      const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, ivBytes), { authTagLength: tagBytes })
      decipher.setAAD(Buffer.from(purpose)).setAuthTag(sealed.subarray(ivBytes, tagEnd))
      try {
        return Buffer.concat([decipher.update(sealed.subarray(tagEnd)), decipher.final()]).toString('utf8')
      } catch {
        return undefined
      }
    },
  }
}

/** What is kept of what opens a door: it does not open it. */
export const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url')
