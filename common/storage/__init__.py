"""What common/store.py is made of: file, commit, epoch, salvage; read that first."""
