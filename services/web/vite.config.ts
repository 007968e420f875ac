// The bundler of the pages; everything it needs to know comes from React Router.
import { reactRouter } from '@react-router/dev/vite'
import { defineConfig } from 'vite'

export default defineConfig({
  plugins: [reactRouter()],
  // Nothing as data: URL: the content security policy lets styles, fonts and images come from this site only.
  build: { assetsInlineLimit: 0 },
})
