import './styles.css'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app'
import { ApiError } from './lib/api/client'
import { startRouter } from './lib/router'
import { startTheme } from './lib/theme'

startTheme()
startRouter()

/** Only what may pass is tried again: an unreachable server and its own faults. */
const passing = (error: unknown) => !(error instanceof ApiError) || error.status === 0 || error.status >= 500

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => failures < 2 && passing(error),
      retryDelay: (attempt) => Math.min(4000, 400 * 2 ** attempt),
      staleTime: 2000,
    },
  },
})

const root = document.getElementById('root')
if (!root) throw new Error('the page has no #root')
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
)
