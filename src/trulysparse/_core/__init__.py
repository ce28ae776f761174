"""What every folder uses: arrays, checks of arguments, files, memory, random numbers, progress callbacks."""
