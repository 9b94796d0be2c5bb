"""Forms of the pages: text into the values that services take, and their refusals at the fields they are about."""
