namespace Mamba.Managed.Benchmarks;

/// <summary>The files of the repository that benchmarks read.</summary>
internal static class Repository
{
    /// <summary>The folder of the solution.</summary>
    public static string Root
    {
        get
        {
            string root = AppContext.BaseDirectory;
            while (!File.Exists(Path.Combine(root, "Mamba.Managed.sln")))
            {
                root = Path.GetDirectoryName(root) ?? throw new FileNotFoundException("expected to run within the repository, found no Mamba.Managed.sln above");
            }

            return root;
        }
    }

    /// <summary>The tokenizer of GPT-NeoX.</summary>
    public static string Tokenizer => Path.Combine(Root, "Mamba.Managed.Tests", "Fixtures", "gpt-neox-tokenizer", "tokenizer.json");
}
