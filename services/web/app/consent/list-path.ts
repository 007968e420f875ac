// Where the API has one's own lists of consents: asked by the server for the page, and by the page for names.

/** The most that a page shows; who has more asks the API. */
const listedMax = 100

export type ListName = '' | '/requests' | '/granted'

export const listPath = (name: ListName): string => `/api/consents${name}?limit=${listedMax}`
