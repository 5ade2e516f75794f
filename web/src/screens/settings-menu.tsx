import { BookOpen, ChevronsUpDown, LogOut, Monitor, Moon, Rocket, Settings, Sun } from 'lucide-react'
import { useSigned } from '@/lib/api/context'
import { humanise } from '@/lib/format'
import { navigate } from '@/lib/router'
import { signOut } from '@/lib/session'
import { useStore } from '@/lib/store'
import { chooseTheme, themeChoice } from '@/lib/theme'
import { Menu, MenuChoice, MenuItem, MenuLabel, MenuLink, MenuSeparator } from '@/ui/menu'
import { docsHref } from './shell'

/** Who is signed in and where, the theme, the docs and the way out. */
export function SettingsMenu({ compact = false }: { compact?: boolean }) {
  const { caller } = useSigned()
  const theme = useStore(themeChoice)
  const name = caller.user?.name || caller.user?.email || humanise(caller.authType ?? 'signed in')
  const trigger = compact ? (
    <button type="button" aria-label="Settings" className="flex size-9 items-center justify-center rounded-lg text-ink-2 hover:bg-hover">
      <Settings className="size-5" />
    </button>
  ) : (
    <button type="button" className="flex w-full items-center gap-2.5 rounded-lg p-1.5 text-left hover:bg-hover">
      <span aria-hidden className="flex size-8 shrink-0 items-center justify-center rounded-lg bg-accent-soft font-semibold text-accent uppercase">
        {name.charAt(0)}
      </span>
      <span className="sr-only">Settings: </span>
      <span className="min-w-0 flex-1">
        <span className="block truncate leading-tight font-medium">{name}</span>
        <span className="block truncate text-xs text-ink-3">{caller.workspaceId ?? 'no workspace'}</span>
      </span>
      <ChevronsUpDown className="size-4 text-ink-3" aria-hidden />
    </button>
  )
  return (
    <Menu trigger={trigger} align={compact ? 'end' : 'start'}>
      <div className="max-w-60 px-2 pt-1.5 pb-1">
        <p className="truncate font-medium">{caller.organization?.name ?? name}</p>
        <p className="truncate text-xs text-ink-3">
          Workspace <span className="font-mono">{caller.workspaceId ?? '–'}</span>
        </p>
      </div>
      <MenuSeparator />
      <MenuLabel>Theme</MenuLabel>
      <MenuChoice
        label="Theme"
        value={theme}
        onChange={chooseTheme}
        options={[
          { value: 'light', label: 'Light', icon: <Sun /> },
          { value: 'dark', label: 'Dark', icon: <Moon /> },
          { value: 'system', label: 'System', icon: <Monitor /> },
        ]}
      />
      <MenuSeparator />
      <MenuItem onSelect={() => navigate('quickstart')}>
        <Rocket /> Quickstart
      </MenuItem>
      <MenuLink href={docsHref}>
        <BookOpen /> API reference
      </MenuLink>
      <MenuSeparator />
      <MenuItem onSelect={() => signOut()}>
        <LogOut /> Sign out
      </MenuItem>
    </Menu>
  )
}
