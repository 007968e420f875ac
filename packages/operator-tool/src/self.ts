// How whoever uses the tool has called it: what it tells them to type next can be typed as it is.
export const self = process.env.npm_lifecycle_event === 'headwater' ? 'npm run headwater --' : 'headwater'
