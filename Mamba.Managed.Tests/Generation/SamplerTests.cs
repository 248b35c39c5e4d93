using Mamba.Managed.Generation;

namespace Mamba.Managed.Tests.Generation;

/// <summary>Each filter against a plain reference in double precision, and draws against the distribution they come from.</summary>
public class SamplerTests
{
    private static readonly GenerationOptions Plain = new() { Seed = 7 };
    private readonly SamplerScratch scratch = new(1000);

    public static IEnumerable<GenerationOptions> Filters()
    {
        yield return Plain;
        yield return Plain with { Temperature = 0.5f };
        yield return Plain with { Temperature = 3 };
        yield return Plain with { TopK = 1 };
        yield return Plain with { TopK = 5 };
        yield return Plain with { TopK = 1000 };
        yield return Plain with { TopP = 0.3f };
        yield return Plain with { TopP = 0.9f };
        yield return Plain with { TopP = 1e-6f };
        yield return Plain with { MinP = 0.1f };
        yield return Plain with { MinP = 1 };
        yield return Plain with { TopK = 12, TopP = 0.8f, MinP = 0.05f, Temperature = 1.3f };
        yield return Plain with { TopP = 0.95f, MinP = 0.2f };
        yield return Plain with { LogitBias = new Dictionary<int, float> { [3] = 4, [1] = float.NegativeInfinity, [0] = -2 } };
        yield return Plain with { RepetitionPenalty = 1.5f };
        yield return Plain with { FrequencyPenalty = 0.7f };
        yield return Plain with { PresencePenalty = -1.1f };
        yield return Plain with { RepetitionPenalty = 1.2f, FrequencyPenalty = 0.3f, PresencePenalty = 0.4f, TopK = 20, TopP = 0.9f };
    }

    [TestCaseSource(nameof(Filters))]
    public void A_token_is_drawn_only_where_the_reference_allows_it_and_every_allowed_one_comes(GenerationOptions options)
    {
        Random random = new(1);
        for (int round = 0; round < 40; round++)
        {
            int vocabulary = random.Next(6, 60);
            float[] logits = Logits(random, vocabulary);
            int[] prompt = [.. Enumerable.Range(0, 4).Select(_ => random.Next(vocabulary))];
            options = options with { LogitBias = options.LogitBias.Where(entry => entry.Key < vocabulary).ToDictionary() };
            SeededSampler sampler = new(options, vocabulary);
            sampler.Observe(prompt);
            List<int> generated = [];
            for (int draw = 0; draw < 25; draw++)
            {
                double[] expected = Reference(logits, options, prompt, generated);
                int token = sampler.Sample(logits, scratch);
                Assert.That(expected[token], Is.GreaterThan(0), $"token {token}");
                generated.Add(token);
            }
        }
    }

    [TestCaseSource(nameof(Filters))]
    public void Draws_follow_the_distribution(GenerationOptions options)
    {
        const int Vocabulary = 30, Draws = 20_000;
        float[] logits = Logits(new Random(3), Vocabulary);

        // Frequency and presence change with every draw; the distribution of the others stands still.
        options = options with { FrequencyPenalty = 0, PresencePenalty = 0, RepetitionPenalty = 1 };
        double[] expected = Reference(logits, options, [], []);
        SeededSampler sampler = new(options, Vocabulary);
        int[] counts = new int[Vocabulary];
        for (int draw = 0; draw < Draws; draw++)
        {
            counts[sampler.Sample(logits, scratch)]++;
        }

        double chiSquare = 0;
        int freedom = -1;
        for (int token = 0; token < Vocabulary; token++)
        {
            if (expected[token] * Draws >= 5)
            {
                chiSquare += Math.Pow(counts[token] - (expected[token] * Draws), 2) / (expected[token] * Draws);
                freedom++;
            }
        }

        // Four standard deviations above the mean of the chi-square distribution.
        Assert.That(chiSquare, Is.LessThanOrEqualTo(freedom + (4 * Math.Sqrt(2 * Math.Max(freedom, 0)))));
    }

    [Test]
    public void Zero_temperature_takes_the_most_likely_and_of_equals_the_lowest_id()
    {
        SeededSampler sampler = new(new GenerationOptions { Temperature = 0 }, 4);
        Assert.That(sampler.Sample([1, 3, 3, 2], scratch), Is.EqualTo(1));
        Assert.That(sampler.Sample([-0f, 0, -1, -2], scratch), Is.Zero);
        Assert.That(sampler.Sample([float.NegativeInfinity, -5, -4, float.NegativeInfinity], scratch), Is.EqualTo(2));
    }

    [Test]
    public void Equals_at_the_edge_of_top_k_go_by_id()
    {
        SeededSampler sampler = new(Plain with { TopK = 2 }, 4);
        HashSet<int> drawn = [.. Enumerable.Range(0, 100).Select(_ => sampler.Sample([1, 1, 1, 1], scratch))];
        Assert.That(drawn, Is.EquivalentTo(new[] { 0, 1 }));
    }

    [Test]
    public void A_seed_fixes_every_draw()
    {
        float[] logits = Logits(new Random(9), 50);
        int[] first = Draw(new SeededSampler(Plain with { TopP = 0.9f }, 50)), second = Draw(new SeededSampler(Plain with { TopP = 0.9f }, 50));
        Assert.That(second, Is.EqualTo(first));
        Assert.That(Draw(new SeededSampler(Plain with { TopP = 0.9f, Seed = 8 }, 50)), Is.Not.EqualTo(first));

        int[] Draw(SeededSampler sampler) => [.. Enumerable.Range(0, 200).Select(_ => sampler.Sample(logits, scratch))];
    }

    [Test]
    public void Draws_are_the_same_on_every_machine()
    {
        Random random = new(21);
        float[] logits = [.. Enumerable.Range(0, 1000).Select(_ => random.Next(-4000, 4000) / 1000f)];
        SeededSampler sampler = new(new GenerationOptions { Seed = 42, Temperature = 0.8f, TopK = 100, TopP = 0.95f }, 1000);
        int[] drawn = [.. Enumerable.Range(0, 8).Select(_ => sampler.Sample(logits, scratch))];
        Assert.That(string.Join(" ", drawn), Is.EqualTo("830 29 768 930 312 902 181 952"));
    }

    [TestCase(1e-40f)]
    [TestCase(1e-10f)]
    public void A_tiny_temperature_is_as_none(float temperature)
    {
        float[] logits = Logits(new Random(2), 50);
        Assert.That(new SeededSampler(Plain with { Temperature = temperature }, 50).Sample(logits, scratch), Is.EqualTo(Array.IndexOf(logits, logits.Max())));
    }

    [Test]
    public void Logits_that_are_no_numbers_are_an_error([Values(0f, 1f)] float temperature)
    {
        SeededSampler sampler = new(Plain with { Temperature = temperature }, 3);
        Assert.Multiple(() =>
        {
            Assert.That(() => sampler.Sample([1, float.NaN, 2], scratch), Throws.TypeOf<InvalidDataException>().With.Message.Contains("NaN for token 1"));
            Assert.That(() => sampler.Sample([1, float.PositiveInfinity, 2], scratch), Throws.TypeOf<InvalidDataException>().With.Message.Contains("token 1"));
            Assert.That(
                () => sampler.Sample([float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity], scratch),
                Throws.TypeOf<InvalidDataException>().With.Message.Contains("not forbidden"));
            Assert.That(() => sampler.Sample([1, 2], scratch), Throws.ArgumentException);
            Assert.That(() => sampler.Sample([1, 2, 3], new SamplerScratch(2)), Throws.ArgumentException.With.Message.Contains("room for 2"));
        });
    }

    [Test]
    public void Options_out_of_range_are_named()
    {
        Assert.Multiple(() =>
        {
            Refused(Plain with { MaxTokens = 0 }, "MaxTokens: expected 1 or more, found 0");
            Refused(Plain with { Temperature = -1 }, "Temperature");
            Refused(Plain with { Temperature = float.NaN }, "Temperature");
            Refused(Plain with { TopK = -1 }, "TopK");
            Refused(Plain with { TopP = 0 }, "TopP");
            Refused(Plain with { TopP = 1.5f }, "TopP");
            Refused(Plain with { MinP = 2 }, "MinP");
            Refused(Plain with { RepetitionPenalty = 0 }, "RepetitionPenalty");
            Refused(Plain with { FrequencyPenalty = float.NaN }, "FrequencyPenalty");
            Refused(Plain with { PresencePenalty = float.PositiveInfinity }, "PresencePenalty");
            Refused(Plain with { LogitBias = new Dictionary<int, float> { [10] = 1 } }, "0 to 9, found 10");
            Refused(Plain with { LogitBias = new Dictionary<int, float> { [1] = float.NaN } }, "LogitBias");
            Refused(Plain with { EndTokenIds = [-1] }, "EndTokenIds");
            Refused(Plain with { Stop = ["a", ""] }, "Stop");
            Refused(Plain with { LogProbs = 11 }, "LogProbs");
        });

        static void Refused(GenerationOptions options, string expected) =>
            Assert.That(() => new Sampler(options, 10), Throws.ArgumentException.With.Message.Contains(expected));
    }

    [TestCaseSource(nameof(Filters))]
    public void A_draw_allocates_nothing(GenerationOptions options)
    {
        float[] logits = Logits(new Random(4), 500);
        SeededSampler sampler = new(options, 500);
        sampler.Sample(logits, scratch);
        long bytes = Allocations.Of(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                sampler.Sample(logits, scratch);
            }
        });
        Assert.That(bytes, Is.Zero);
    }

    private static float[] Logits(Random random, int count) =>
        [.. Enumerable.Range(0, count).Select(_ => (float)(2.5 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];

    private static double[] Reference(float[] logits, GenerationOptions options, int[] prompt, List<int> generated)
    {
        double[] adjusted = [.. logits.Select((logit, token) =>
        {
            double value = logit;
            if (prompt.Contains(token) || generated.Contains(token))
            {
                value = value > 0 ? value / options.RepetitionPenalty : value * options.RepetitionPenalty;
            }

            int times = generated.Count(id => id == token);
            value -= (times * options.FrequencyPenalty) + (times > 0 ? options.PresencePenalty : 0);
            return (value + options.LogitBias.GetValueOrDefault(token)) / options.Temperature;
        })];
        double[] p = [.. adjusted.Select(value => Math.Exp(value - adjusted.Max()))];
        int[] ranked = [.. Enumerable.Range(0, p.Length).OrderByDescending(token => p[token]).ThenBy(token => token)];
        Keep(options.TopK == 0 ? p.Length : options.TopK);
        double whole = p.Sum(), sum = 0;
        int kept = 0;
        while (kept < p.Length && (kept == 0 || sum < options.TopP * whole))
        {
            sum += p[ranked[kept++]];
        }

        Keep(options.TopP < 1 ? kept : p.Length);
        double least = options.MinP * p.Max();
        p = [.. p.Select(value => value >= least ? value : 0)];
        return [.. p.Select(value => value / p.Sum())];

        void Keep(int count)
        {
            foreach (int token in ranked.Skip(count))
            {
                p[token] = 0;
            }
        }
    }
}
