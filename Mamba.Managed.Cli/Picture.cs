using System.Text;
using ScottPlot;

namespace Mamba.Managed.Cli;

/// <summary>Writes plots to files.</summary>
internal static class Picture
{
    private const int Width = 900;
    private const int Height = 540;

    /// <summary>Writes a plot as SVG and PNG, each atomically.</summary>
    /// <param name="plot">The plot.</param>
    /// <param name="folder">The folder of the files.</param>
    /// <param name="name">The name of the files, without extension.</param>
    public static void Save(Plot plot, string folder, string name)
    {
        Write(".svg", Encoding.UTF8.GetBytes(plot.GetSvgXml(Width, Height)));
        Write(".png", plot.GetImageBytes(Width, Height, ImageFormat.Png));

        void Write(string ending, byte[] bytes) => AtomicFile.Write(Path.Combine(folder, name + ending), stream => stream.Write(bytes));
    }
}
