using System.Reflection;

namespace Mamba.Managed.ILGPU.Unrolling.Tests;

/// <summary>Templates with the code that is expected of them.</summary>
public sealed class ExpansionTests
{
    private const string Head = "using System; using Mamba.Managed.ILGPU.Unrolling; namespace N; ";

    /// <summary>What a template of (float[] x, int[] n) holds, what becomes of it, and what else its class holds.</summary>
    private static readonly (string Name, string Body, string Expected, string Members)[] Expansions =
    [
        ("copies are blocks where they declare something",
            "for (int i = Unroll.From(0); i < 2; i++) { float t = x[i]; x[i + 1] = t * i; }",
            """
            {
                float t = x[0];
                x[1] = t * 0;
            }
            {
                float t = x[1];
                x[2] = t * 1;
            }
            """, ""),
        ("copies of one statement are the statement",
            "for (int i = Unroll.From(0); i < 2; i++) { x[2 * i + 1] = i * 0.5f; }",
            """
            x[1] = 0f;
            x[3] = 0.5f;
            """, ""),
        ("scalars stand where the array stood",
            "float[,] h = new float[2, 2]; for (int i = Unroll.From(0); i < h.Length; i++) h[i / 2, i % 2] += x[i];",
            """
            float h_0_0 = default, h_0_1 = default, h_1_0 = default, h_1_1 = default;
            h_0_0 += x[0];
            h_0_1 += x[1];
            h_1_0 += x[2];
            h_1_1 += x[3];
            """, ""),
        ("branches that are not taken vanish",
            "const int K = 3; if (K > 2 && n[0] > 1) { n[1] = 1; } else { n[1] = 2; } if (K == 1) n[2] = 0; else if (K == 3) n[2] = K << 2; n[3] = K > 5 ? n[4] : n[5];",
            """
            if (n[0] > 1)
            {
                n[1] = 1;
            }
            else
            {
                n[1] = 2;
            }
            n[2] = 12;
            n[3] = n[5];
            """, ""),
        ("neutral integers vanish",
            "const int Zero = 0, One = 1; long w = n[0]; n[0] = n[1] * One + Zero - (Zero + (n[2] & 7)) / One; x[0] = x[1] * One + Zero; w = n[1] + 0L; w = (w << Zero) * 1;",
            """
            long w = n[0];
            n[0] = n[1] - (n[2] & 7);
            x[0] = x[1] * 1 + 0;
            w = n[1] + 0L;
            w = w;
            """, ""),
        ("texts of constants are literals",
            "const int K = 2; Emit($\"mov.f32 acc{K}, 0f00000000;\"); Emit(\"a\" + K + '\\t' + true); Emit($@\"{K:X4}\\{{\"\"}}\"); Emit($\"\\t{nameof(K),3} {-K}\"); Emit($\"{n[0]} {K}\");",
            """
            Emit("mov.f32 acc2, 0f00000000;");
            Emit("a2\tTrue");
            Emit("0002\\{\"}");
            Emit("\t  K -2");
            Emit($"{n[0]} {2}");
            """, "static void Emit(string s) { }"),
        ("raw texts of constants are literals",
            "const int K = 2; Emit($$\"\"\"mma {a{{K}}, \\ \"b\"};\"\"\"); Emit($\"\"\"\n    first {K};\n      second;\n    \"\"\"); Emit(\"\"\"\n  plain\n  \"\"\");",
            """
            Emit("mma {a2, \\ \"b\"};");
            Emit("first 2;\n  second;");
            Emit("plain");
            """, "static void Emit(string s) { }"),
        ("instructions name registers by inlined constants",
            "for (int i = Unroll.From(0); i < 4; i += 2) Mma(i, (uint)n[i], \"acc\");",
            """
            {
                uint a = (uint)n[0];
                Emit("mma {acc0, acc1}, %0; @p{ acc0 }", a);
            }
            {
                uint a = (uint)n[2];
                Emit("mma {acc2, acc3}, %0; @p{ acc2 }", a);
            }
            """, "static void Emit(string s, uint a) { } [Inlined] static void Mma(int d, uint a, string r) => Emit($\"mma {{{r}{d}, {r}{d + 1}}}, %0; @p{{ {r + d} }}\", a);"),
        ("arguments that cost nothing are put in place",
            "float f = x[0]; x[1] = Scaled(f, 2); x[2] = Scaled(f + 1, 3); x[3] = Scaled(x[4], 4) - Scaled(-f, -1);",
            """
            float f = x[0];
            x[1] = f * 2f;
            x[2] = (f + 1) * 3f;
            float a = x[4];
            x[3] = (a * 4f) - (-f * -1f);
            """, "[Inlined] static float Scaled(float a, float b) => a * b;"),
        ("names of members are qualified, names of types shortened",
            "n[0] = Deep.Inner.Twice(n[1]); Deep.Note<int>();",
            """
            int a = n[1];
            n[0] = (a * Deep.Inner.Factor + Math.Abs(a)) + System.Text.Encoding.UTF8.CodePage;
            Deep.Write(typeof(int), new Deep.Inner[4], default(int?), Deep.Inner.Factor);
            """, """
            }
            static class Deep
            {
                internal class Inner { internal static int Factor = 3; [Inlined] internal static int Twice(int a) => (a * Factor + Math.Abs(a)) + System.Text.Encoding.UTF8.CodePage; }
                internal static void Write(Type t, Inner[] i, object? o, int f) { }
                [Inlined] internal static void Note<T>() where T : struct => Write(typeof(T), new Inner[4], default(T?), Inner.Factor);
            """),
        ("types that a local hides are named in full",
            "int Deep = n[0]; n[1] = Twice(Deep);",
            """
            int Deep = n[0];
            n[1] = Deep * global::N.Deep.Factor;
            """, "[Inlined] static int Twice(int a) => a * N.Deep.Factor; } static class Deep { internal static int Factor = 3;"),
        ("names that are taken are passed over",
            "int a_0 = 1, t = 2; int[] a = new int[1]; a[0] = a_0 + t; Note(a_0 + t);",
            """
            int a_0 = 1;
            int t = 2;
            int a_1_0 = default;
            a_1_0 = a_0 + t;
            {
                int t_1 = a_0 + t;
                int a_1 = t_1 * 2;
                Write(a_1, t_1);
            }
            """, "static void Write(int a, int b) { } [Inlined] static void Note(int t) { int a = t * 2; Write(a, t); }"),
    ];

    private static IEnumerable<TestCaseData> Cases =>
        Expansions.Select(expansion => new TestCaseData(expansion.Body, expansion.Expected, expansion.Members).SetArgDisplayNames(expansion.Name));

    [TestCaseSource(nameof(Cases))]
    public void A_template_becomes(string body, string expected, string members)
    {
        Generation generation = Generation.Of(Head + "static partial class K { [Unrolled(\"Unrolled\")] static void Template(float[] x, int[] n) {" + body + "} " + members + "}");
        generation.Load();
        string text = expected.Replace("K.", "", StringComparison.Ordinal);
        Assert.That(generation.Body().Replace("K.", "", StringComparison.Ordinal), Is.EqualTo(text));
    }

    [Test]
    public void Variants_set_constants_of_all_types_and_what_depends_on_them()
    {
        Generation generation = Generation.Of(Head + """
            static partial class K
            {
                const int Lanes = 2;
                const long Wide = Lanes * 100L;

                [Unrolled("A")]
                [Unrolled("B", "Lanes=0x10", "Steps = (1 << 3) - 2", "Half=-0.25f", "Fast=!true", "Big=1")]
                [Unrolled("C", "Half=2")]
                static string Template()
                {
                    const int Steps = 4;
                    const float Half = 0.5f;
                    const bool Fast = true;
                    const ulong Big = ulong.MaxValue;
                    const int Both = Steps * Lanes;
                    return (Fast ? "fast" : "slow") + Both + Inner() + (Half * 2).ToString() + Big;
                }

                [Inlined] static string Inner() => "," + Wide + ",";
            }
            """);
        Assembly assembly = generation.Load();
        Assert.Multiple(() =>
        {
            Assert.That(Generation.Call(assembly, "N.K", "A"), Is.EqualTo(Generation.Call(assembly, "N.K", "Template")));
            Assert.That(Generation.Call(assembly, "N.K", "B"), Is.EqualTo("slow96,1600,-0.51"));
            Assert.That(Generation.Call(assembly, "N.K", "C"), Is.EqualTo("fast8,200,418446744073709551615"));
        });
    }

    [Test]
    public void The_generated_file_has_the_usings_types_and_signature_of_the_template()
    {
        Generation generation = Generation.Of("""
            using System;
            using Numbers = System.Collections.Generic.List<int>;
            using Mamba.Managed.ILGPU.Unrolling;
            using static System.Math;
            namespace Outer
            {
                using Text = System.Text.StringBuilder;
                namespace Inner
                {
                    public partial class Box<T> where T : class
                    {
                        public readonly partial record struct Part
                        {
                            /// <summary>Documented.</summary>
                            [Unrolled("First"), Obsolete("old")]
                            [Unrolled("Second", "K=2")]
                            private static unsafe Numbers? Template<U>(in int a, ref Text? t, int* p, params U[] rest) where U : unmanaged, IComparable<U>
                            {
                                const int K = 1;
                                t = new Text($"{Max(a, K)}");
                                return *p > 0 ? null : new Numbers { K };
                            }
                        }
                    }
                }
            }
            """);
        generation.Load();
        Assert.Multiple(() =>
        {
            Assert.That(generation.Variant("Second"), Is.EqualTo("""
                // <auto-generated/>
                #nullable enable
                #pragma warning disable
                using System;
                using Numbers = System.Collections.Generic.List<int>;
                using Mamba.Managed.ILGPU.Unrolling;
                using static System.Math;
                namespace Outer
                {
                    using Text = System.Text.StringBuilder;
                    namespace Inner
                    {
                        partial class Box<T>
                        {
                            partial record struct Part
                            {
                                /// <summary>Template, unrolled with K=2.</summary>
                                [Obsolete("old")]
                                internal static unsafe Numbers? Second<U>(in int a, ref Text? t, int* p, params U[] rest) where U : unmanaged, IComparable<U>
                                {
                                    t = new Text($"{Max(a, 2)}");
                                    return *p > 0 ? null : new Numbers { 2 };
                                }
                            }
                        }
                    }
                }

                """));
            Assert.That(generation.Result.GeneratedTrees.Select(tree => Path.GetFileName(tree.FilePath)),
                Does.Contain("Outer.Inner.Box{T}.Part.Template.First.g.cs"));
        });
    }

    [Test]
    public void Overloads_of_templates_do_not_clash()
    {
        Generation generation = Generation.Of(Head + """
            partial class K
            {
                [Unrolled("A")] static int Template(int a) => a;
                [Unrolled("A")] static float Template(float a) => a;
            }
            """);
        generation.Load();
        Assert.That(generation.Result.GeneratedTrees, Has.Length.EqualTo(4));
    }
}
