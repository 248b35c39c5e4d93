namespace Mamba.Managed.Tests.Fuzz;

/// <summary>A reader under damaged files: each is read or refused with the one error, and none takes memory that the file does not justify.</summary>
/// <param name="good">A file that is whole.</param>
/// <param name="read">Reads the file at a path, all of it.</param>
/// <param name="header">Half of the damage lies within the first so many bytes, where the structure is; 0 where that is all of the file.</param>
/// <param name="constant">Bytes that the reader may take for a file of any length.</param>
internal sealed class ReaderFuzz(ReaderFuzz.GoodFile good, Action<string> read, int header = 0, long constant = 8_000_000) : FuzzPart
{
    private readonly byte[] original = File.ReadAllBytes(good.Path);
    private long refused;

    /// <inheritdoc/>
    public override void Step(Random random)
    {
        byte[] damaged = header > 0 && random.Next(2) == 0
            ? [.. Mutations.Of(original[..header], random), .. original.AsSpan(header)]
            : Mutations.Of(original, random);
        File.WriteAllBytes(good.Path, damaged);
        long before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            read(good.Path);
        }
        catch (Exception error) when (error is InvalidDataException or FileNotFoundException)
        {
            refused++;
        }

        long taken = GC.GetAllocatedBytesForCurrentThread() - before;
        if (taken > damaged.Length + constant)
        {
            throw new FuzzException(Throw.Invariant($"expected at most {damaged.Length + constant} bytes of memory, found {taken}"));
        }
    }

    /// <inheritdoc/>
    public override void End(long steps) =>
        Require(steps < 1000 || (refused > steps / 20 && refused <= steps), Throw.Invariant($"mutations that reach the structure ({refused} of {steps} were refused)"));

    /// <inheritdoc/>
    public override void Close() => good.Dispose();

    /// <summary>A file in a folder of its own, which is deleted at the end.</summary>
    internal sealed class GoodFile : IDisposable
    {
        private readonly string folder = Directory.CreateTempSubdirectory("mamba-fuzz-").FullName;

        /// <summary>A file that <paramref name="write"/> makes, given the folder and the file's path.</summary>
        public GoodFile(string name, Action<string, string> write)
        {
            Path = System.IO.Path.Combine(folder, name);
            write(folder, Path);
        }

        public string Path { get; }

        public string Folder => folder;

        /// <inheritdoc/>
        public void Dispose() => Directory.Delete(folder, recursive: true);
    }
}
