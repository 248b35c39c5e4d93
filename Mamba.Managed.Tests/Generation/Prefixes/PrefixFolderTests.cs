using Mamba.Managed.Execution;
using Mamba.Managed.Generation;
using Mamba.Managed.Generation.Prefixes;
using Mamba.Managed.Models;
using Mamba.Managed.Tokenizers;

namespace Mamba.Managed.Tests.Generation.Prefixes;

/// <summary>States kept in a folder: found by another process, never believed when damaged, never in the way of a request.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class PrefixFolderTests : IDisposable
{
    private static readonly MambaConfig Config = new() { DModel = 16, NLayer = 2, VocabSize = 256, InitializerRange = 1, TieEmbeddings = false };

    private readonly CpuExecutor executor = new(MambaLanguageModel.Create(Config, 1), 1);
    private readonly ByteTokenizer bytes = new();
    private readonly string folder = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());

    public void Dispose()
    {
        executor.Dispose();
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public async Task Another_cache_finds_what_one_has_written()
    {
        int[] prompt = Tokens(300, 1);
        GenerationResult first = await RunAsync(prompt);
        Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(2), "the end of the prompt and the end of the text");
        using PrefixCache cache = new(Options());
        using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
        GenerationResult second = await engine.GenerateAsync(Request(prompt)), third = await engine.GenerateAsync(Request(prompt));
        PrefixCacheTests.AssertSame(second, first);
        PrefixCacheTests.AssertSame(third, first);
        Assert.That(second.Summary.Prefix, Is.EqualTo(new PrefixUse(PrefixOutcome.FolderHit, 299, 299)));
        Assert.That(third.Summary.Prefix.Outcome, Is.EqualTo(PrefixOutcome.Hit));
        Assert.That(engine.Metrics.Prefixes, Is.EqualTo(new PrefixCounts { CachedTokens = 598, Hits = 1, FolderHits = 1 }));
    }

    [Test]
    public async Task The_longest_state_of_a_text_is_read()
    {
        int[] text = Tokens(200, 1);
        await RunAsync(text[..60]);
        await RunAsync(text[..120]);
        await RunAsync([.. text[..150], .. Tokens(30, 2)]);
        Assert.That((await RunAsync(text)).Summary.Prefix.CachedTokens, Is.EqualTo(119));
    }

    [Test]
    public async Task Two_caches_write_and_read_one_folder_at_once()
    {
        using PrefixCache one = new(Options()), two = new(Options());
        using GenerationEngine first = new(executor, bytes, new() { Prefixes = one }), second = new(executor, bytes, new() { Prefixes = two }), plain = new(executor, bytes);
        await Parallel.ForAsync(0, 200, async (number, cancellation) =>
        {
            GenerationRequest request = Request([.. Tokens(40 * (1 + (number % 4)), 1), .. Tokens(number % 3, number)]);
            GenerationResult found = await (number % 2 == 0 ? first : second).GenerateAsync(request, cancellation);
            PrefixCacheTests.AssertSame(found, await plain.GenerateAsync(request, cancellation));
            if (number % 20 == 0)
            {
                one.Clear();
            }
        });
        one.Flush();
        two.Flush();
        Assert.That(one.Metrics.FilesRefused + two.Metrics.FilesRefused, Is.Zero);
        Assert.That(Directory.GetFiles(folder, "*.tmp"), Is.Empty);
        Assert.That(one.Metrics.FolderProblem ?? two.Metrics.FolderProblem, Is.Null);
    }

    [Test]
    public async Task Damaged_files_are_deleted_and_never_believed()
    {
        int[] prompt = Tokens(100, 1);
        GenerationResult expected = await RunAsync(prompt);
        string[] files = Directory.GetFiles(folder);
        Dictionary<string, byte[]> good = files.ToDictionary(file => file, File.ReadAllBytes);
        Random random = new(3);
        for (int round = 0; round < 200; round++)
        {
            bool isWhole = true;
            foreach (string file in files)
            {
                byte[] damaged = Mutations.Of(good[file], random);
                isWhole &= damaged.AsSpan().StartsWith(good[file]);
                File.WriteAllBytes(file, damaged);
            }

            using PrefixCache cache = new(Options());
            using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
            GenerationResult found = await engine.GenerateAsync(Request(prompt));
            PrefixCacheTests.AssertSame(found, expected);
            Assert.That(isWhole || found.Summary.Prefix.CachedTokens == 0 || cache.Metrics.FilesRefused == 0);
        }
    }

    [Test]
    public async Task Files_of_other_texts_models_and_kinds_are_passed_over()
    {
        int[] prompt = Tokens(100, 1);
        GenerationResult expected = await RunAsync(prompt);
        string longest = Directory.GetFiles(folder, "99-*").Single();
        byte[] state = File.ReadAllBytes(longest);
        Directory.Delete(folder, recursive: true);
        await RunAsync(Tokens(100, 2));
        File.Copy(Directory.GetFiles(folder, "99-*").Single(), longest);
        File.WriteAllText(Path.Combine(folder, "readme.txt"), "of somebody else");
        File.WriteAllBytes(Path.Combine(folder, "99-xyz.mambaprefix"), state);
        Directory.CreateDirectory(Path.Combine(folder, "98-" + new string('0', 32) + ".mambaprefix"));
        using PrefixCache cache = new(Options());
        using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
        GenerationResult found = await engine.GenerateAsync(Request(prompt));
        PrefixCacheTests.AssertSame(found, expected);
        Assert.That(found.Summary.Prefix.CachedTokens, Is.Zero);
        Assert.That(cache.Metrics.FilesRefused, Is.EqualTo(1), "a state of another text under this one's name");
        using CpuExecutor otherModel = new(MambaLanguageModel.Create(Config, 2), 1);
        using PrefixCache otherCache = new(Options());
        using GenerationEngine other = new(otherModel, bytes, new() { Prefixes = otherCache });
        Assert.That((await other.GenerateAsync(Request(prompt))).Summary.Prefix.CachedTokens, Is.Zero);
        Assert.That(Directory.GetFiles(folder, "*.txt"), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Files_over_the_budget_are_deleted_least_recently_used_first()
    {
        int[] kept = Tokens(100, 1);
        await RunAsync(kept);
        long one = new FileInfo(Directory.GetFiles(folder)[0]).Length;
        for (int i = 0; i < 12; i++)
        {
            await RunAsync(Tokens(100, 10 + i), one * 10);
            Assert.That((await RunAsync(kept, one * 10)).Summary.Prefix.Outcome, Is.EqualTo(PrefixOutcome.FolderHit));
        }

        Assert.That(Directory.GetFiles(folder).Sum(file => new FileInfo(file).Length), Is.LessThanOrEqualTo(one * 10));
        Assert.That((await RunAsync(Tokens(100, 10))).Summary.Prefix.CachedTokens, Is.Zero);
    }

    [Test]
    public async Task A_full_disk_fails_no_request_and_is_told()
    {
        int writes = 0;
        using PrefixCache cache = new(Options(), (_, write) =>
        {
            writes++;
            write(new FullStream());
        });
        using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
        for (int i = 0; i < 5; i++)
        {
            await engine.GenerateAsync(Request(Tokens(100, i)));
            cache.Flush();
        }

        Assert.That(cache.Metrics.FolderProblem, Does.Contain("no space left").And.Contain(folder));
        Assert.That(writes, Is.InRange(1, 2), "it is not tried again at once");
        Assert.That(cache.Metrics.FilesSkipped, Is.Positive);
        Assert.That((await engine.GenerateAsync(Request(Tokens(100, 0)))).Summary.Prefix.Outcome, Is.EqualTo(PrefixOutcome.Hit), "memory serves");
    }

    [Test]
    public async Task A_folder_that_cannot_be_written_fails_no_request_and_is_told()
    {
        using PrefixCache cache = new(Options(), (path, _) => throw new UnauthorizedAccessException($"Access to the path '{path}' is denied."));
        using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
        await engine.GenerateAsync(Request(Tokens(100, 1)));
        cache.Flush();
        Assert.That(engine.Metrics.PrefixCache!.FolderProblem, Does.Contain("denied").And.Contain("give it rights"));
    }

    [Test]
    public async Task A_folder_that_is_deleted_meanwhile_fails_no_request()
    {
        using PrefixCache cache = new(Options());
        using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
        Directory.Delete(folder);
        await engine.GenerateAsync(Request(Tokens(100, 1)));
        cache.Flush();
        await engine.GenerateAsync(Request(Tokens(100, 2)));
        Assert.That(cache.Metrics.FolderProblem, Is.Not.Null);
    }

    [Test]
    public void A_folder_that_cannot_be_made_is_refused_at_once()
    {
        Directory.CreateDirectory(folder);
        string file = Path.Combine(folder, "file");
        File.WriteAllText(file, "");
        Assert.That(() => new PrefixCache(Options() with { Folder = Path.Combine(file, "below") }), Throws.InstanceOf<IOException>());
    }

    [Test]
    public async Task A_slow_disk_holds_no_request_up()
    {
        using SemaphoreSlim disk = new(0);
        using PrefixCache cache = new(Options(), (_, _) => disk.Wait());
        using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
        for (int i = 0; i < 40; i++)
        {
            await engine.GenerateAsync(Request(Tokens(100, i)));
        }

        Assert.That(cache.Metrics.FilesSkipped, Is.GreaterThan(20), "few wait to be written");
        disk.Release(1000);
    }

    private static int[] Tokens(int count, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(256))];
    }

    private static GenerationRequest Request(int[] prompt) => new(prompt) { Options = new() { MaxTokens = 40, Seed = 1 } };

    private PrefixCacheOptions Options() => new() { Folder = folder };

    // With a cache of its own, as in a process of its own.
    private async Task<GenerationResult> RunAsync(int[] prompt, long budget = 1 << 30)
    {
        using PrefixCache cache = new(Options() with { FolderBytes = budget });
        using GenerationEngine engine = new(executor, bytes, new() { Prefixes = cache });
        GenerationResult result = await engine.GenerateAsync(Request(prompt));
        cache.Flush();
        return result;
    }

    private sealed class FullStream : MemoryStream
    {
        public override void Write(ReadOnlySpan<byte> buffer)
        {
            base.Write(buffer);
            if (Length > 1000)
            {
                throw new IOException("no space left on device");
            }
        }
    }
}
