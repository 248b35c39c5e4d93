using System.Reflection;

namespace Mamba.Managed.ILGPU.Unrolling.Tests;

/// <summary>Random templates and their unrolled forms compute the same.</summary>
public sealed class RandomTests
{
    private const int Templates = 50;

    [Test]
    public void Random_templates_compute_the_same_when_unrolled([Range(0, 1)] int batch)
    {
        int[] seeds = [.. Enumerable.Range(batch * Templates, Templates)];
        Generation generation = Generation.Of([.. seeds.Select(Source)]);
        Assembly assembly = generation.Load();
        Assert.Multiple(() =>
        {
            foreach (int seed in seeds)
            {
                string body = generation.Body($"Unrolled{seed}");
                Assert.That(body, Does.Not.Contain("Unroll.From"));
                Assert.That(Run(assembly, seed, $"Unrolled{seed}"), Is.EqualTo(Run(assembly, seed, "Template")), () => $"{Source(seed)}\n{body}");
            }
        });
    }

    private static string Source(int seed) => $$"""
        using Mamba.Managed.ILGPU.Unrolling;
        static partial class K{{seed}}
        {
            [Unrolled("Unrolled{{seed}}")]
            static void Template(int[] n)
            {
        {{new RandomTemplate(seed).Body()}}
            }

        {{RandomTemplate.Members}}
        }
        """;

    private static int[] Run(Assembly assembly, int seed, string method)
    {
        string type = $"K{seed}";
        assembly.GetType(type)!.GetField("counter", BindingFlags.Static | BindingFlags.NonPublic)!.SetValue(null, 0);
        Random random = new(seed);
        int[] n = [.. Enumerable.Range(0, 16).Select(_ => random.Next(-9, 9))];
        Generation.Call(assembly, type, method, n);
        return n;
    }
}
