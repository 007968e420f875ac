// `npm run --silent token uma`: prints an access token of a demo person, for ten minutes of curl, while `npm start` runs.
import { demoTokens } from './local/demo-tokens.ts'

const { OIDC_ISSUER = 'http://localhost:8086', PUBLIC_URL = 'http://localhost:8080' } = process.env
const [userName] = process.argv.slice(2)

if (userName === undefined) {
  process.stderr.write('Whose token? One of the people that the sign-in page of `npm start` shows, such as uma.\n')
  process.exit(1)
}
try {
  process.stdout.write(`${await demoTokens(OIDC_ISSUER, PUBLIC_URL)(userName)}\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\nIs \`npm start\` running?\n`)
  process.exit(1)
}
