// Location of the files that pin versions.

import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));

/** Returns the paths of the files `names` in a folder beside this file. */
export const lockFilesOf = (folder, names) => names.map((name) => path.join(here, folder, name));
